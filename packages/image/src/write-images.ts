import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { rootfsImage, signerFromPrivateKey, writeArtifactFile, type WriteOptions } from '@tandem/artifact';
import type { Board } from './board.ts';
import type { Stage } from './build.ts';
import { dataFiles, type DeviceSettings } from './device-files.ts';
import { copySparse, emptyFile, makeExt4, makeFat, writeRaw, type FatFile } from './file-system-images.ts';
import type { ImageFile, RawWrite } from './image-file.ts';
import { ImageError } from './image-error.ts';
import type { Layout, PlacedPartition } from './layout.ts';
import type { Options } from './options.ts';
import { stableUuid, type PartitionRole, type Partitions } from './partitions.ts';
import { placeFiles } from './place-files.ts';
import type { Privileges } from './privileges.ts';
import type { World } from './world.ts';
import { writePartitionTable } from './write-table.ts';

/** Everything that was decided. */
export interface ImageParts {
  readonly board: Board;
  readonly layout: Layout;
  readonly partitions: Partitions;
  readonly settings: DeviceSettings;
  /** Trees: the finished root file system, the files of the boot partition, and what hooks put on the data partition. */
  readonly places: { readonly root: string; readonly boot: string; readonly data: string };
  readonly rawWrites: readonly RawWrite[];
  readonly beside: readonly ImageFile[];
  readonly artifactName: string;
  readonly sourceDate: number;
  readonly work: string;
}

export interface Tools {
  readonly options: Options;
  readonly world: World;
  readonly privileges: Privileges;
  readonly stage: Stage;
  /** Called with the written image before it gets its name. */
  readonly afterImage: (path: string) => Promise<void>;
}

/** Paths of what was written. */
export interface Written {
  readonly image: string;
  readonly artifact: string;
  readonly bootstrapArtifact: string;
  readonly others: readonly string[];
}

/** Writes file systems, artifacts and the disk image. Each file appears under its name when it is complete and on disk. */
export async function writeImages(parts: ImageParts, tools: Tools): Promise<Written> {
  const { board, artifactName, sourceDate, places, work } = parts;
  const { options, world, privileges, stage } = tools;
  const directory = options['output-directory'];
  await mkdir(directory, { recursive: true });
  const name = join(directory, `${artifactName}-${board.deviceType}`);
  const root = join(work, `${basename(name)}.ext4`);

  const rootPartition = placed(parts.layout, 'rootA');
  await stage('write the root file system', () =>
    makeExt4(
      places.root,
      {
        path: root,
        sizeBytes: rootPartition.sizeBytes,
        label: 'rootfs',
        uuid: stableUuid(board.name, artifactName),
        sourceDate,
      },
      privileges,
    ),
  );
  const artifact = `${name}.mender`;
  const bootstrapArtifact = `${name}.bootstrap.mender`;
  await stage('write the artifacts', () =>
    writeArtifacts(parts, tools, { root, artifact, bootstrapArtifact }),
  );

  const image = join(directory, `.${basename(name)}.img.tmp`);
  try {
    await stage('write the disk image', async () => {
      await writeDisk(parts, tools, { image, root, bootstrapArtifact });
      await tools.afterImage(image);
    });
    const finished = await stage('flush it', () =>
      finish(image, `${name}.img`, options['compress-image'], tools),
    );
    const others = options['root-image'] ? [await keep(root, `${name}.ext4`, world)] : [];
    await placeFiles(
      parts.beside.map((file) => ({ ...file, path: `/${basename(name)}.${basename(file.path)}` })),
      directory,
    );
    others.push(...parts.beside.map(({ path }) => `${name}.${basename(path)}`));
    return { image: finished, artifact, bootstrapArtifact, others };
  } finally {
    await rm(image, { force: true });
  }
}

async function writeArtifacts(
  { board, artifactName, sourceDate }: ImageParts,
  { options, world }: Tools,
  paths: { readonly root: string; readonly artifact: string; readonly bootstrapArtifact: string },
): Promise<void> {
  const { compression } = options;
  if (compression !== 'none' && compression !== 'gzip' && compression !== 'zstd')
    throw new ImageError('badArguments', `--compression ${compression}: say none, gzip or zstd`);
  const signer =
    options.key === undefined ? undefined : signerFromPrivateKey(await readFile(options.key, 'utf8'));
  const write: WriteOptions = {
    compression,
    modifiedAt: sourceDate,
    signal: world.signal,
    ...(signer === undefined ? {} : { signer }),
  };
  const depends = { deviceTypes: [board.deviceType] };
  const scripts = await Promise.all(
    options['state-script'].map(async (path) => ({ name: basename(path), content: await readFile(path) })),
  );
  const payload = rootfsImage({ artifactName, image: { path: paths.root } });
  await writeArtifactFile({ artifactName, depends, scripts, payload }, paths.artifact, write);

  // What the artifact would have the device provide, for one that was made with it.
  const provides = {
    ...payload.provides,
    'rootfs-image.checksum': await sha256Of(paths.root),
  };
  const bootstrap = { type: null, provides, clearsProvides: payload.clearsProvides ?? [] };
  await writeArtifactFile({ artifactName, depends, payload: bootstrap }, paths.bootstrapArtifact, write);
}

async function writeDisk(
  { board, layout, partitions, settings, places, rawWrites, sourceDate, work }: ImageParts,
  { world, privileges }: Tools,
  paths: { readonly image: string; readonly root: string; readonly bootstrapArtifact: string },
): Promise<void> {
  const { image, root, bootstrapArtifact } = paths;
  await emptyFile(image, layout.totalBytes);
  await writePartitionTable(image, board, layout, world.run);

  const copy = (from: string, role: PartitionRole) =>
    copySparse(from, image, placed(layout, role).offsetBytes, world.signal);
  await copy(root, 'rootA');
  if (board['rootfs.fillInactive']) await copy(root, 'rootB');

  await placeFiles(dataFiles(partitions, settings, bootstrapArtifact), places.data);
  await privileges.run('find', [
    places.data,
    '-exec',
    'touch',
    '--date',
    `@${String(sourceDate)}`,
    '{}',
    '+',
  ]);
  const data = placed(layout, 'data');
  const dataImage = join(work, 'data.ext4');
  const dataUuid = stableUuid(board.name, 'data file system');
  await makeExt4(
    places.data,
    { path: dataImage, sizeBytes: data.sizeBytes, label: data.label, uuid: dataUuid, sourceDate },
    privileges,
  );
  await copy(dataImage, 'data');

  if (partitions.boot !== undefined) {
    const { sizeBytes, label } = placed(layout, 'boot');
    const bootImage = join(work, 'boot.vfat');
    const volumeId = stableUuid(board.name, 'boot file system').slice(0, 8);
    const files = await filesBelow(places.boot, privileges);
    await privileges.run('find', [
      places.boot,
      '-exec',
      'touch',
      '--date',
      `@${String(sourceDate)}`,
      '{}',
      '+',
    ]);
    await makeFat(files, { path: bootImage, sizeBytes, label, volumeId, sourceDate }, world.run);
    await copy(bootImage, 'boot');
  }
  await writeRaw(image, rawWrites);
}

async function filesBelow(directory: string, privileges: Privileges): Promise<FatFile[]> {
  const listed = await privileges.run('find', [directory, '-type', 'f', '-printf', '/%P\\n']);
  return listed
    .split('\n')
    .filter(Boolean)
    .toSorted()
    .map((path) => ({ path, hostPath: join(directory, path) }));
}

function placed({ partitions }: Layout, role: PartitionRole): PlacedPartition {
  const found = partitions.find((one) => one.role === role);
  if (found === undefined) throw new Error(`the layout has no partition ${role}`);
  return found;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 }))
    hash.update(piece as Uint8Array);
  return hash.digest('hex');
}

/** What compresses it, with the arguments that make the same bytes each time. */
const packers = {
  none: undefined,
  gzip: { program: 'gzip', args: ['-n', '-6', '-f'], extension: '.gz' },
  xz: { program: 'xz', args: ['-T0', '-f'], extension: '.xz' },
  zstd: { program: 'zstd', args: ['-q', '-T0', '-f', '--rm'], extension: '.zst' },
} as const;

async function finish(temporary: string, path: string, packing: string, { world }: Tools): Promise<string> {
  if (!Object.hasOwn(packers, packing))
    throw new ImageError(
      'badArguments',
      `--compress-image ${packing}: say one of ${Object.keys(packers).join(', ')}`,
    );
  const packer = packers[packing as keyof typeof packers];
  if (packer === undefined) return keep(temporary, path, world);
  await world.run(packer.program, [...packer.args, temporary]);
  return keep(`${temporary}${packer.extension}`, `${path}${packer.extension}`, world);
}

/** Gives a file its name when it is on disk. */
async function keep(temporary: string, path: string, world: World): Promise<string> {
  // From the work directory it may be another file system.
  const near = join(dirname(path), `.${basename(path)}.tmp`);
  if (dirname(temporary) !== dirname(path)) await world.run('cp', ['--sparse=always', temporary, near]);
  else if (temporary !== near) await rename(temporary, near);
  await using file = await open(near, 'r+');
  await file.sync();
  await rename(near, path);
  await using directory = await open(dirname(path), 'r');
  await directory.sync();
  return path;
}
