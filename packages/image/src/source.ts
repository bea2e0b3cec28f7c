import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ImageError } from './image-error.ts';
import { readPartitionTable, type FoundPartition } from './partition-table.ts';
import type { Privileges } from './privileges.ts';
import type { RunProgram } from './run-program.ts';

/** What an image can be made from. `at` is where the file system begins in the file. */
export type Source =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'tar'; readonly path: string }
  | { readonly kind: 'ext4'; readonly path: string; readonly at: number }
  | {
      readonly kind: 'disk-image';
      readonly path: string;
      /** The root file system's partition. */
      readonly at: number;
      readonly boot: FoundPartition | undefined;
      readonly table: 'gpt' | 'mbr';
    };

const headBytes = 2048;

/** Tells a root file system by its own marks. Throws `ImageError` (badSource). */
export async function openRoot(path: string): Promise<Source> {
  const found = await stat(path).catch((cause: unknown) => {
    throw bad(path, 'it is not there', { cause });
  });
  if (found.isDirectory()) return { kind: 'directory', path };
  const head = await headOf(path, 0);
  if (isExt(head)) return { kind: 'ext4', path, at: 0 };
  if (isTar(head)) return { kind: 'tar', path };
  const isDisk = head.length >= 512 && head.readUInt16LE(510) === 0xaa55;
  const more = isDisk ? '; a whole disk is given by --disk-image' : '';
  throw bad(
    path,
    `it is neither a directory nor a tar archive (plain, gz, xz, zst, bz2) nor an ext4 image${more}`,
  );
}

/**
 * Finds the root file system in a disk image, the largest ext4 that has /etc/os-release, and beside it a FAT partition to boot from. Throws
 * `ImageError` (badSource, unknownPartitionTable).
 */
export async function openDiskImage(path: string, run: RunProgram): Promise<Source> {
  await stat(path).catch((cause: unknown) => {
    throw bad(path, 'it is not there', { cause });
  });
  const packed = packedBy(await headOf(path, 0));
  if (packed !== undefined) throw bad(path, `it is compressed; unpack it first (${packed})`);
  const { kind: table, partitions } = await readPartitionTable(path);
  let root: FoundPartition | undefined;
  let boot: FoundPartition | undefined;
  for (const partition of partitions) {
    const head = await headOf(path, partition.offsetBytes);
    if (isFat(head)) boot ??= partition;
    if (!isExt(head) || partition.sizeBytes <= (root?.sizeBytes ?? 0)) continue;
    const listed = await run('debugfs', [
      '-R',
      'stat /etc/os-release',
      extDevice(path, partition.offsetBytes),
    ]);
    if (/^Inode: /m.test(listed)) root = partition;
  }
  if (root !== undefined) return { kind: 'disk-image', path, at: root.offsetBytes, boot, table };
  throw bad(
    path,
    `none of its ${partitions.length} partitions is an ext4 with /etc/os-release (LVM and encrypted roots cannot be read)`,
  );
}

/** Devices, processes and what a running system keeps in memory are no content; nodes could not be made without root besides. */
const leftOut = ['dev', 'proc', 'sys', 'run', 'tmp', 'lost+found'] as const;

/** Unpacks the root file system into an empty directory, owners, modes, times, extended attributes and all. */
export async function unpackRoot(source: Source, directory: string, privileges: Privileges): Promise<void> {
  const keep = ['--numeric-owner', '--xattrs', '--xattrs-include=*', '--acls'];
  const excluded = leftOut.flatMap((name) => [
    `--exclude=./${name}/*`,
    `--exclude=${name}/*`,
    `--exclude=./${name}/.*`,
  ]);
  switch (source.kind) {
    case 'directory':
      await privileges.run('bash', [
        '-c',
        'set -eo pipefail; from=$1 to=$2; shift 2; tar --create --one-file-system -C "$from" "$@" . | tar --extract -p -C "$to" --numeric-owner --xattrs "--xattrs-include=*" --acls',
        'copy', source.path, directory, ...keep, ...excluded,
      ]); // prettier-ignore
      break;
    case 'tar':
      await privileges.run('tar', [
        '--extract',
        '-p',
        '-f',
        source.path,
        '-C',
        directory,
        ...keep,
        ...excluded,
      ]);
      break;
    case 'ext4':
    case 'disk-image':
      await rdump(source.path, source.at, directory, privileges);
      break;
    default:
      source satisfies never;
  }
  const script =
    'cd "$1"; shift; for name; do rm -rf "./$name"; [ "$name" = lost+found ] || mkdir -m 0755 "./$name"; done; chmod 1777 tmp';
  await privileges.run('sh', ['-ec', script, 'clear', directory, ...leftOut]);
}

/** Copies what the boot partition of a disk image holds into an empty directory. */
export async function unpackBoot(source: Source, directory: string, run: RunProgram): Promise<void> {
  if (source.kind !== 'disk-image' || source.boot === undefined) return;
  const image = `${source.path}@@${source.boot.offsetBytes}`;
  const listed = await run('mdir', ['-b', '-a', '-i', image, '::']);
  if (listed.trim() !== '') await run('mcopy', ['-s', '-m', '-n', '-i', image, '::*', directory]);
}

/** debugfs needs no mount; what it cannot do it says and goes on. */
async function rdump(path: string, at: number, directory: string, privileges: Privileges): Promise<void> {
  assertPlain(directory);
  const complaints: string[] = [];
  await privileges.run('debugfs', ['-R', `rdump / "${directory}"`, extDevice(path, at)], {
    onLine: (line) => {
      // Nodes, sockets and pipes are passed over without a word.
      if (line.trim() !== '' && !/^debugfs \d/.test(line)) complaints.push(line);
    },
  });
  if (complaints.length > 0)
    throw bad(path, `its files cannot be taken out: ${complaints.slice(0, 5).join('; ')}`);
}

const extDevice = (path: string, at: number): string => (at === 0 ? path : `${path}?offset=${String(at)}`);

function assertPlain(path: string): void {
  if (/["\\\n]/.test(path)) throw bad(path, 'debugfs cannot write to a directory of that name');
}

async function headOf(path: string, at: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, at);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const isExt = (head: Buffer): boolean => head.length >= 1082 && head.readUInt16LE(1080) === 0xef53;
const isFat = (head: Buffer): boolean =>
  head.length >= 512 && [54, 82].some((at) => head.toString('latin1', at, at + 3) === 'FAT');
const isTar = (head: Buffer): boolean =>
  head.toString('latin1', 257, 262) === 'ustar' || packedBy(head) !== undefined;

const packings = [
  { magic: '1f8b', unpack: 'gunzip' },
  { magic: 'fd377a585a00', unpack: 'unxz' },
  { magic: '28b52ffd', unpack: 'unzstd' },
  { magic: '425a68', unpack: 'bunzip2' },
] as const;
const packedBy = (head: Buffer): string | undefined =>
  packings.find(({ magic }) => head.toString('hex', 0, magic.length / 2) === magic)?.unpack;

const bad = (path: string, reason: string, options?: ErrorOptions): ImageError =>
  new ImageError('badSource', `cannot make an image from ${path}: ${reason}`, options);

/** Where the boot files of the source are unpacked, beside its root. */
export const bootDirectory = (workDirectory: string): string => join(workDirectory, 'boot');
