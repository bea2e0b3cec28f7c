import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openArtifactFile, type OpenedArtifact, type PayloadDescription } from '@tandem/artifact';
import type { CommandLine } from '../command-line.ts';
import { decompressors } from '../compressions.ts';
import { CommandError } from '../exit-status.ts';
import { rewriteArtifact } from '../rewrite-artifact.ts';
import type { World } from '../world.ts';
import type { ImageFileSystem } from './file-system.ts';
import { findFileSystem } from './find-file-system.ts';
import { partitionOffsets } from './partition-table.ts';

/** `IMAGE:/path` as `cp` and the others take it. */
export interface ImagePath {
  readonly image: string;
  readonly path: string;
}

/** Takes `release.mender:/etc/hostname` apart; undefined when it names no image. */
export function parseImagePath(text: string): ImagePath | undefined {
  const [, image, path] = /^(.+\.(?:mender|sdimg|uefiimg|img)):(\/.*)$/.exec(text) ?? [];
  return image === undefined || path === undefined ? undefined : { image, path };
}

/** A file system of an image and where in it the path lies. */
export interface Target {
  readonly fileSystem: ImageFileSystem;
  readonly path: string;
}

/**
 * Does something with a path inside an image. An artifact's root file system is unpacked to a temporary directory, and with `writes` the
 * artifact is made anew around it; disk images are edited in place. In a disk image of partitions boot, A, B and data a path of the root
 * file system means both A and B, as in the reference.
 */
export async function withImage(
  at: ImagePath,
  writes: boolean,
  line: CommandLine,
  world: World,
  action: (targets: readonly [Target, ...Target[]]) => Promise<void>,
): Promise<void> {
  if (!at.image.endsWith('.mender')) return action(await diskTargets(at, world));
  const opened = await openArtifactFile(at.image, { decompressors, signal: world.signal });
  await withUnpackedImage(opened, line, world, async (fileSystem, payload) => {
    await action([{ fileSystem, path: at.path }]);
    if (writes) await rewriteArtifact({ ...opened.description, payload }, at.image, opened, line, world);
  });
}

/**
 * Unpacks an artifact's only payload file and hands its file system over, with the payload as it is to be described once the file was
 * changed: a checksum it provided is made anew. Throws `CommandError` when that is no file system we can edit.
 */
export async function withUnpackedImage(
  opened: OpenedArtifact,
  line: CommandLine,
  world: World,
  action: (fileSystem: ImageFileSystem, payload: PayloadDescription) => Promise<void>,
): Promise<void> {
  const [file, ...others] = opened.files;
  if (file === undefined || others.length > 0 || !('open' in file)) {
    throw new CommandError(
      'failed',
      'only artifacts with one payload file, an ext4 or vfat image, can be edited',
    );
  }
  const directory = await mkdtemp(join(line.text('tmp') ?? tmpdir(), 'mender-artifact-'));
  try {
    const path = join(directory, file.name);
    await pipeline(file.open(), createWriteStream(path, { mode: 0o600 }), { signal: world.signal });
    const fileSystem = await findFileSystem({ file: path, offsetBytes: 0, signal: world.signal });
    if (fileSystem === undefined) {
      throw new CommandError('failed', 'mender-artifact can only modify ext4 and vfat payloads');
    }
    await action(fileSystem, withFile(opened.description.payload, path));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Newest first: where a device of an old client is told both, the old one is the one kept in step. */
const checksumKeys = ['rootfs_image_checksum', 'rootfs-image.checksum'] as const;

function withFile(payload: PayloadDescription, path: string): PayloadDescription {
  const { packed: _, provides, ...rest } = payload;
  const key =
    payload.type === 'rootfs-image' ? checksumKeys.find((name) => provides?.[name] !== undefined) : undefined;
  const kept = Object.fromEntries(Object.entries(provides ?? {}).filter(([name]) => name !== key));
  return {
    ...rest,
    provides: kept,
    files: [{ path }],
    ...(key === undefined ? {} : { checksumProvide: key }),
  };
}

/** Which partition of a disk image a path belongs to, and what it is called there. */
const partitionPaths = [
  { prefix: /^\/data\//, partitions: [3] },
  { prefix: /^\/(?:uboot|boot\/(?:efi|grub))\//, partitions: [0] },
  { prefix: /^\//, partitions: [1, 2] },
] as const;

async function diskTargets(at: ImagePath, world: World): Promise<readonly [Target, ...Target[]]> {
  const { image: file, path } = at;
  const { signal } = world;
  const whole = await findFileSystem({ file, offsetBytes: 0, signal });
  const offsets = whole === undefined ? await partitionOffsets(file) : [];
  if (whole !== undefined) return [{ fileSystem: whole, path }];
  if (offsets.length < 4) {
    throw new CommandError(
      'failed',
      `${file}: neither a file system nor a disk image of partitions boot, A, B and data`,
    );
  }
  const rule = partitionPaths.find(({ prefix }) => prefix.test(path));
  const targets: Target[] = [];
  for (const index of rule?.partitions ?? []) {
    const fileSystem = await findFileSystem({ file, offsetBytes: offsets[index] ?? 0, signal });
    if (fileSystem === undefined)
      throw new CommandError('failed', `${file}: partition ${index + 1} is neither ext4 nor vfat`);
    targets.push({ fileSystem, path: path.replace(rule?.prefix ?? /^\//, '/') });
  }
  const [first, ...others] = targets;
  if (first === undefined) throw new CommandError('failed', `${path} is on no partition`);
  return [first, ...others];
}
