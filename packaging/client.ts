import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBundle } from '@tandem/client/build-bundle';
import { programs, type ProgramName } from '@tandem/client/command-line';
import { manualPage } from '@tandem/client/manual-page';
import manifest from '../packages/client/package.json' with { type: 'json' };
import { buildDebianPackage, gzip, type BuildOptions } from './debian-package.ts';
import { maintainer, sourceDate } from './facts.ts';
import { buildNodeDebianPackage } from './node-package.ts';
import { nodeRuntime, otherNodeRuntime, type NodeRuntime } from './node-runtime.ts';
import { filesBelow, type PackageFile } from './package-files.ts';
import { buildSingleExecutable } from './single-executable.ts';
import { buildTarball } from './tarball.ts';
import { debianCopyright } from './third-party-notices.ts';

const project = join(import.meta.dirname, '..');
const ownFiles = join(import.meta.dirname, 'client');
const support = join(project, 'packages/client/support');
const units = [
  'mender-updated.service',
  'mender-authd.service',
  'mender-update-once.service',
  'mender-update-once.timer',
] as const;

/** The packages of Mender whose programs and services this one is: Debian's, and those of the later generations. */
const stoodInFor = [
  'mender-client',
  'mender-client4',
  'mender-auth',
  'mender-update',
  'mender-setup',
  'mender-snapshot',
  'mender-flash',
] as const;

export interface ClientFacts {
  readonly version: string;
  /** SOURCE_DATE_EPOCH: seconds since 1970. */
  readonly modified: number;
  /** The whole client in one file. */
  readonly bundle: string;
}

/** Writes `tandem-client_*.deb`, for every architecture; returns its path. */
export async function buildClientDebianPackage(
  facts: ClientFacts,
  options: Omit<BuildOptions, 'modified'>,
): Promise<string> {
  const script = (name: string) => readFile(join(ownFiles, name), 'utf8');
  return buildDebianPackage(
    {
      control: {
        package: 'tandem-client',
        version: facts.version,
        architecture: 'all',
        maintainer,
        section: 'admin',
        priority: 'optional',
        depends: ['nodejs (>= 20) | tandem-node', 'xz-utils', 'zstd'],
        recommends: ['ca-certificates', 'default-dbus-system-bus | dbus-system-bus'],
        suggests: ['libubootenv-tool', 'openssl'],
        conflicts: stoodInFor,
        replaces: stoodInFor,
        provides: stoodInFor,
        synopsis: 'over-the-air software update for embedded Linux - device client',
        description: [
          'Installs updates on a device, by hand or as a server says, and goes back to what was before when one fails: ' +
            'whole root file systems into the one of two partitions that is not running, or files, packages and ' +
            'containers by update modules.',
          'It speaks the interfaces of Mender and stands in for its client: configuration, key and store are taken over.',
        ],
      },
      files: (await installedFiles(facts)).map((file) => ({ ...file, path: join('/usr', file.path) })),
      // The configuration is the device's: made by `mender setup` or with its image, and part of no package.
      conffiles: [],
      scripts: {
        preinst: await script('preinst'),
        postinst: await script('postinst'),
        prerm: await script('prerm'),
        postrm: await script('postrm'),
      },
      copyright: debianCopyright(),
      lintianOverrides: await script('lintian-overrides'),
    },
    { ...options, modified: facts.modified },
  );
}

/** Writes the tarball, to be unpacked into /usr of a device that has a Node; returns its path. */
export async function buildClientTarball(facts: ClientFacts, directory: string): Promise<string> {
  return buildTarball(
    {
      name: `tandem-client-${facts.version}`,
      files: [
        ...(await installedFiles(facts)),
        { path: '/share/doc/tandem-client/LICENSE', copyOf: join(project, 'LICENSE') },
      ],
    },
    { directory, modified: facts.modified },
  );
}

/** Writes the client and its Node as one program; returns its path. */
export async function buildClientExecutable(
  { version, bundle }: ClientFacts,
  node: NodeRuntime,
  directory: string,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, `tandem-update-${version}-linux-${node.architecture}`);
  await buildSingleExecutable({ main: bundle, node, path }, nodeRuntime(project).program);
  return path;
}

/** Everything, by its place below /usr. */
async function installedFiles({ version, modified, bundle }: ClientFacts): Promise<PackageFile[]> {
  const home = '/lib/tandem-client';
  const date = new Date(modified * 1000).toISOString().slice(0, 10);
  const names = Object.keys(programs) as ProgramName[];
  return [
    { path: `${home}/tandem-update.mjs`, copyOf: bundle, mode: 0o755 },
    { path: `${home}/launch`, copyOf: join(ownFiles, 'launch'), mode: 0o755 },
    ...names.flatMap((name): PackageFile[] => [
      { path: `/bin/${name}`, linkTo: '../lib/tandem-client/launch' },
      // What Node is given, so that the program knows its name.
      { path: `${home}/${name}`, linkTo: 'tandem-update.mjs' },
      { path: `/share/man/man1/${name}.1.gz`, bytes: gzip(manualPage(name, { version, date })) },
    ]),
    ...(await programsBelow('modules', '/share/mender/modules/v3')),
    ...(await programsBelow('identity', '/share/mender/identity')),
    ...(await programsBelow('inventory', '/share/mender/inventory')),
    ...(await filesBelow(join(support, 'dbus'), '/share/dbus-1/system.d')),
    {
      path: '/share/dbus-1/system-services/io.mender.AuthenticationManager.service',
      copyOf: join(ownFiles, 'io.mender.AuthenticationManager.service'),
    },
    ...units.map((unit) => ({ path: `/lib/systemd/system/${unit}`, copyOf: join(ownFiles, unit) })),
  ];
}

const programsBelow = async (kind: string, path: string): Promise<PackageFile[]> =>
  (await filesBelow(join(support, kind), path)).map((file) => ({ ...file, mode: 0o755 }));

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      directory: { type: 'string', default: join(project, 'dist') },
      compression: { type: 'string', default: 'xz' },
    },
  });
  const { directory } = values;
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const modified = await sourceDate(project, process.env);
  const bundle = join(directory, 'bundle', 'tandem-update.mjs');
  await buildBundle(bundle);
  const facts = { version: manifest.version, modified, bundle };
  const compression = values.compression === 'none' ? 'none' : 'xz';
  print(await buildClientDebianPackage(facts, { directory, compression }));
  print(await buildClientTarball(facts, directory));
  const other = await otherNodeRuntime(join(directory, 'node')).catch((error: unknown) => {
    print(
      `Nothing is built for the other architecture: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  for (const node of [nodeRuntime(project), ...(other === undefined ? [] : [other])]) {
    print(await buildClientExecutable(facts, node, directory));
    print(await buildNodeDebianPackage(node, { directory, modified, compression }));
  }
}
