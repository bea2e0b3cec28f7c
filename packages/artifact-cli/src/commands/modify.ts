import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openArtifactFile, type ArtifactDescription, type PayloadDescription } from '@tandem/artifact';
import { artifactPath } from '../artifact-input.ts';
import type { CommandLine } from '../command-line.ts';
import { decompressors } from '../compressions.ts';
import { CommandError } from '../exit-status.ts';
import { withImage, withUnpackedImage } from '../image/edit-image.ts';
import type { ImageFileSystem } from '../image/file-system.ts';
import { reasonOf } from '../keys.ts';
import { rewriteArtifact } from '../rewrite-artifact.ts';
import type { World } from '../world.ts';
import { keyValues, metaDataFrom, scriptsFrom } from '../write-flags.ts';

/** Files inside a root file system that flags of `modify` change. */
const infoPath = '/etc/mender/artifact_info';
const configurationPath = '/etc/mender/mender.conf';
const copiedFiles = {
  'server-cert': '/etc/mender/server.crt',
  'verification-key': '/etc/mender/artifact-verify-key.pem',
} as const;

/** Flags that cannot be followed without a file system that we can edit. */
const imageFlags = ['server-uri', 'tenant-token', 'server-cert', 'verification-key'] as const;

/** `modify`: changes what an artifact says, and settings inside its root file system; or those inside a disk image. */
export async function modifyCommand(line: CommandLine, world: World): Promise<void> {
  const path = artifactPath(line);
  for (const flag of ['server-cert', 'verification-key'] as const) await assertReadable(line.text(flag));
  if (!path.endsWith('.mender') && /\.(sdimg|uefiimg|img)$/.test(path)) {
    await withImage({ image: path, path: '/' }, true, line, world, async (targets) => {
      for (const { fileSystem } of targets) await changeSettings(fileSystem, newName(line), line);
    });
    return;
  }
  const opened = await openArtifactFile(path, { decompressors, signal: world.signal });
  const changed = await withChangedHeader(opened.description, line);
  const needsImage = imageFlags.some((flag) => line.has(flag));
  const wantsImage = needsImage || (newName(line) !== undefined && changed.payload.type === 'rootfs-image');
  if (!wantsImage) return rewriteArtifact(changed, path, opened, line, world);
  try {
    await withUnpackedImage({ ...opened, description: changed }, line, world, async (fileSystem, payload) => {
      await changeSettings(fileSystem, newName(line), line);
      await rewriteArtifact({ ...changed, payload }, path, opened, line, world);
    });
  } catch (error) {
    // The name is first of all what the header says; a root file system of another kind, squashfs for one, keeps its own.
    const isOtherKind = error instanceof CommandError && error.message.includes('ext4 and vfat');
    if (!isOtherKind || needsImage) throw error;
    world.stderr.write(
      `warning: ${infoPath} inside the image is unchanged: the image is neither ext4 nor vfat\n`,
    );
    await rewriteArtifact(changed, path, opened, line, world);
  }
}

function newName(line: CommandLine): string | undefined {
  return line.text('artifact-name') ?? line.text('name');
}

async function withChangedHeader(
  description: ArtifactDescription,
  line: CommandLine,
): Promise<ArtifactDescription> {
  const { depends, payload } = description;
  const group = line.text('provides-group');
  const scripts = await scriptsFrom(line.list('script'));
  return {
    ...description,
    artifactName: newName(line) ?? description.artifactName,
    ...(group === undefined ? {} : { artifactGroup: group }),
    depends: {
      deviceTypes: depends.deviceTypes,
      artifactNames: given(line, 'artifact-name-depends') ?? depends.artifactNames ?? [],
      artifactGroups: given(line, 'depends-groups') ?? depends.artifactGroups ?? [],
    },
    scripts: [...(description.scripts ?? []), ...scripts],
    payload: await withChangedPayload(payload, line),
  };
}

/** `--provides` and `--depends` replace all there are; `--clears-provides` adds to them (format contract 8). */
async function withChangedPayload(
  payload: PayloadDescription,
  line: CommandLine,
): Promise<PayloadDescription> {
  const removed = line.list('delete-clears-provides');
  const unknown = removed.filter((entry) => !(payload.clearsProvides ?? []).includes(entry));
  if (unknown.length > 0) {
    throw new CommandError(
      'failed',
      `--delete-clears-provides: the artifact does not clear ${unknown.join(', ')}`,
    );
  }
  const clears = (payload.clearsProvides ?? []).filter((entry) => !removed.includes(entry));
  const metaData = await metaDataFrom(line.text('meta-data'));
  return {
    ...payload,
    ...(line.has('provides') ? { provides: keyValues(line.list('provides')) } : {}),
    ...(line.has('depends') ? { depends: keyValues(line.list('depends')) } : {}),
    clearsProvides: [...clears, ...line.list('clears-provides').filter((entry) => !clears.includes(entry))],
    ...(metaData === undefined ? {} : { metaData }),
  };
}

async function changeSettings(
  fileSystem: ImageFileSystem,
  name: string | undefined,
  line: CommandLine,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'mender-artifact-'));
  const hostPath = join(directory, 'file');
  const edit = async (path: string, change: (text: string) => string): Promise<void> => {
    const text = (await fileSystem.exists(path)) ? await contentOf(fileSystem, path, hostPath) : undefined;
    if (text === undefined && path !== infoPath)
      throw new CommandError('failed', `${path} is not in the image`);
    await writeFile(hostPath, change(text ?? ''));
    await fileSystem.write(hostPath, path, text === undefined ? 0o644 : undefined);
    await rm(hostPath);
  };
  try {
    if (name !== undefined) await edit(infoPath, (text) => withArtifactName(text, name));
    const settings = { ServerURL: line.text('server-uri'), TenantToken: line.text('tenant-token') };
    const given = Object.entries(settings).filter(([, value]) => value !== undefined);
    if (given.length > 0)
      await edit(configurationPath, (text) => withSettings(text, Object.fromEntries(given)));
    for (const flag of ['server-cert', 'verification-key'] as const) {
      const source = line.text(flag);
      if (source !== undefined) await fileSystem.write(source, copiedFiles[flag], 0o644);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function contentOf(fileSystem: ImageFileSystem, path: string, hostPath: string): Promise<string> {
  await fileSystem.read(path, hostPath);
  const text = await readFile(hostPath, 'utf8');
  await rm(hostPath);
  return text;
}

function withArtifactName(text: string, name: string): string {
  const line = `artifact_name=${name}`;
  return /^artifact_name=.*$/m.test(text)
    ? text.replace(/^artifact_name=.*$/m, () => line)
    : `${line}\n${text}`;
}

function withSettings(text: string, settings: Readonly<Record<string, unknown>>): string {
  let configuration: unknown;
  try {
    configuration = JSON.parse(text);
  } catch (cause) {
    throw new CommandError(
      'failed',
      `${configurationPath} inside the image is not valid JSON: ${reasonOf(cause)}`,
      { cause },
    );
  }
  if (typeof configuration !== 'object' || configuration === null || Array.isArray(configuration)) {
    throw new CommandError('failed', `${configurationPath} inside the image is not a JSON object`);
  }
  return JSON.stringify({ ...configuration, ...settings });
}

function given(line: CommandLine, flag: string): readonly string[] | undefined {
  return line.has(flag) ? line.list(flag) : undefined;
}

async function assertReadable(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) throw new CommandError('cannotOpenInput', `${path} is no file that can be read`);
}
