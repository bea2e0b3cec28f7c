import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { stageFiles, type PackageFile } from './package-files.ts';
import { runProgram } from './run-program.ts';

/** What a Debian package says of itself; fields as in Debian policy 5.3. */
export interface DebianControl {
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly maintainer: string;
  readonly section: string;
  readonly priority: 'optional';
  readonly homepage?: string;
  readonly depends: readonly string[];
  readonly preDepends?: readonly string[];
  readonly recommends?: readonly string[];
  readonly suggests?: readonly string[];
  readonly conflicts?: readonly string[];
  readonly replaces?: readonly string[];
  readonly provides?: readonly string[];
  /** One line, no full stop. */
  readonly synopsis: string;
  /** Paragraphs. */
  readonly description: readonly string[];
}

export type MaintainerScript = 'preinst' | 'postinst' | 'prerm' | 'postrm';

export interface DebianPackage {
  readonly control: DebianControl;
  readonly files: readonly PackageFile[];
  /** Paths below /etc that the administrator may change. */
  readonly conffiles: readonly string[];
  readonly scripts: Readonly<Partial<Record<MaintainerScript, string>>>;
  /** Text of /usr/share/doc/PACKAGE/copyright. */
  readonly copyright: string;
  /** Complaints of lintian that are meant so, one a line. */
  readonly lintianOverrides?: string;
}

export interface BuildOptions {
  readonly directory: string;
  /** SOURCE_DATE_EPOCH: seconds since 1970; the time of every file. */
  readonly modified: number;
  readonly compression: Compression;
}

/** `xz` for what is given away, `none` where building and installing must be quick. */
export type Compression = 'xz' | 'none';

/** Writes PACKAGE_VERSION_ARCHITECTURE.deb into the directory and returns its path. Same input, same bytes. */
export async function buildDebianPackage(
  { control, files, conffiles, scripts, copyright, lintianOverrides }: DebianPackage,
  { directory, modified, compression }: BuildOptions,
): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), 'debian-package-'));
  try {
    const tree = join(work, 'tree');
    const documents = `/usr/share/doc/${control.package}`;
    const installed: PackageFile[] = [
      ...files,
      { path: `${documents}/copyright`, text: copyright },
      { path: `${documents}/changelog.gz`, bytes: gzip(changelog(control, modified)) },
      ...(lintianOverrides === undefined
        ? []
        : [{ path: `/usr/share/lintian/overrides/${control.package}`, text: lintianOverrides }]),
    ];
    await stageFiles(tree, installed, modified);
    const information: PackageFile[] = [
      { path: '/control', text: controlText(control, await sizeKiB(tree)) },
      { path: '/md5sums', text: await checksums(tree) },
      ...(conffiles.length === 0 ? [] : [{ path: '/conffiles', text: lines(conffiles) }]),
      ...Object.entries(scripts).map(([name, text]) => ({ path: `/${name}`, text, mode: 0o755 })),
    ];
    await stageFiles(join(tree, 'DEBIAN'), information, modified);
    await mkdir(directory, { recursive: true });
    const path = join(directory, `${control.package}_${control.version}_${control.architecture}.deb`);
    await runProgram(
      'dpkg-deb',
      ['--root-owner-group', `-Z${compression}`, ...effort[compression], '--build', tree, path],
      { environment: { SOURCE_DATE_EPOCH: String(modified) } },
    );
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const effort = { xz: ['-z6'], none: [] } as const;

function controlText(control: DebianControl, installedKiB: number): string {
  const list = (names: readonly string[] | undefined) => names?.join(', ');
  const fields = {
    Package: control.package,
    Version: control.version,
    Architecture: control.architecture,
    Maintainer: control.maintainer,
    'Installed-Size': String(installedKiB),
    'Pre-Depends': list(control.preDepends),
    Depends: list(control.depends),
    Recommends: list(control.recommends),
    Suggests: list(control.suggests),
    Conflicts: list(control.conflicts),
    Replaces: list(control.replaces),
    Provides: list(control.provides),
    Section: control.section,
    Priority: control.priority,
    Homepage: control.homepage,
    Description: [control.synopsis, ...descriptionLines(control.description)].join('\n '),
  };
  return lines(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined && value !== '')
      .map(([name, value]) => `${name}: ${String(value)}`),
  );
}

const maxLineLength = 78;

/** Debian policy 5.6.13: paragraphs are parted by a line that holds a full stop. */
const descriptionLines = (paragraphs: readonly string[]): string[] =>
  paragraphs.flatMap((paragraph, index) => [...(index === 0 ? [] : ['.']), ...wrap(paragraph)]);

function wrap(text: string): string[] {
  const wrapped: string[] = [];
  for (const word of text.split(' ')) {
    const last = wrapped.at(-1);
    if (last === undefined || last.length + 1 + word.length > maxLineLength) wrapped.push(word);
    else wrapped[wrapped.length - 1] = `${last} ${word}`;
  }
  return wrapped;
}

const changelog = ({ package: name, version, maintainer }: DebianControl, modified: number): string =>
  `${name} (${version}) unstable; urgency=medium\n\n` +
  `  * Version ${version}: what changed is told in Tandem's CHANGELOG.md.\n\n` +
  ` -- ${maintainer}  ${new Date(modified * 1000).toUTCString().replace('GMT', '+0000')}\n`;

/** As `gzip -9n`: without a name and a time. */
export const gzip = (text: string): Uint8Array => gzipSync(text, { level: 9 });

async function everyFile(tree: string): Promise<string[]> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted();
}

async function sizeKiB(tree: string): Promise<number> {
  const sizes = await Promise.all((await everyFile(tree)).map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + Math.ceil(size / 1024), 0);
}

async function checksums(tree: string): Promise<string> {
  const told: string[] = [];
  for (const path of await everyFile(tree)) {
    const hash = createHash('md5');
    await pipeline(createReadStream(path), hash);
    told.push(`${hash.digest('hex')}  ${path.slice(tree.length + 1)}`);
  }
  return lines(told);
}

const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('');
