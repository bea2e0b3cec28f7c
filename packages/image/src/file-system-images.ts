import { open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mebibyte } from './layout.ts';
import type { RawWrite } from './image-file.ts';
import { ImageError } from './image-error.ts';
import type { Privileges } from './privileges.ts';
import type { RunProgram } from './run-program.ts';

const mke2fsConfiguration = join(import.meta.dirname, '../support/mke2fs.conf');

export interface Ext4Options {
  readonly path: string;
  readonly sizeBytes: number;
  readonly label: string;
  readonly uuid: string;
  /** Seconds since 1970: all that the file system itself has of time. */
  readonly sourceDate: number;
}

/**
 * Makes an ext4 from the files below a directory. The same files give the same bytes: names, modes and contents are theirs, times of the
 * inodes are set. Throws `ImageError` (imageTooSmall) when they do not fit.
 */
export async function makeExt4(tree: string, options: Ext4Options, privileges: Privileges): Promise<void> {
  const { path, sizeBytes, label, uuid, sourceDate } = options;
  await emptyFile(path, sizeBytes);
  const environment = {
    MKE2FS_CONFIG: mke2fsConfiguration,
    // The first is heeded since 1.47.1, the second before.
    SOURCE_DATE_EPOCH: String(sourceDate),
    E2FSPROGS_FAKE_TIME: String(sourceDate),
  };
  const args = ['-q', '-F', '-t', 'ext4', '-L', label, '-U', uuid, '-m', '1'];
  const extended = `hash_seed=${uuid},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard`;
  try {
    await privileges.run('mkfs.ext4', [...args, '-E', extended, '-d', tree, path], { environment });
  } catch (cause) {
    if (!/Could not allocate|No space/i.test((cause as Error).message)) throw cause;
    throw new ImageError(
      'imageTooSmall',
      `the files below ${tree} do not fit into ${label} of ${sizeBytes / mebibyte} MiB; make that partition larger`,
      { cause },
    );
  }
  await settleTimes(path, sourceDate, privileges.run);
}

/** mke2fs takes over when an inode was last changed or read on this machine, which is different each time. */
async function settleTimes(path: string, sourceDate: number, run: RunProgram): Promise<void> {
  const info = await run('dumpe2fs', ['-h', path]);
  const count = Number(/^Inode count: +(\d+)$/m.exec(info)?.[1]);
  const free = Number(/^Free inodes: +(\d+)$/m.exec(info)?.[1]);
  const used = count - free;
  // mke2fs hands them out in order, group by group, from the first on.
  const requests = Array.from({ length: used }, (_, index) =>
    timeFields
      .map((field) => `sif <${index + 1}> ${field} ${field.endsWith('extra') ? '0' : `@${sourceDate}`}`)
      .join('\n'),
  );
  await run('debugfs', ['-w', '-f', '-', path], {
    input: `${requests.join('\n')}\n`,
    environment: { E2FSPROGS_FAKE_TIME: String(sourceDate) },
  });
}

const timeFields = ['atime', 'ctime', 'crtime', 'atime_extra', 'ctime_extra', 'crtime_extra'] as const;

export interface FatOptions {
  readonly path: string;
  readonly sizeBytes: number;
  readonly label: string;
  /** Eight hexadecimal digits. */
  readonly volumeId: string;
  readonly sourceDate: number;
}

/** Makes a FAT file system from the files below a directory. The same files give the same bytes. */
export async function makeFat(
  files: readonly FatFile[],
  options: FatOptions,
  run: RunProgram,
): Promise<void> {
  const { path, sizeBytes, label, volumeId, sourceDate } = options;
  await emptyFile(path, sizeBytes);
  const environment = { SOURCE_DATE_EPOCH: String(sourceDate) };
  await run('mkfs.vfat', ['--invariant', '-i', volumeId, '-n', label === '' ? 'NO NAME' : label, path], {
    environment,
  });
  const directories = [...new Set(files.flatMap(({ path: inside }) => parentsOf(inside)))].toSorted();
  if (directories.length > 0)
    await run('mmd', ['-i', path, ...directories.map((name) => `::${name}`)], { environment });
  for (const { path: inside, hostPath } of files)
    await run('mcopy', ['-m', '-i', path, hostPath, `::${inside}`], { environment });
}

export interface FatFile {
  readonly path: string;
  readonly hostPath: string;
}

function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let at = dirname(path); at !== '/'; at = dirname(at)) parents.push(at);
  return parents;
}

const pieceBytes = mebibyte;
const blockBytes = 64 * 1024;

/** Copies a file into another at an offset and leaves out what is zero, where the other has a hole. */
export async function copySparse(
  from: string,
  into: string,
  offsetBytes: number,
  signal: AbortSignal,
  onBytes?: (bytes: number) => void,
): Promise<void> {
  await using source = await open(from, 'r');
  await using target = await open(into, 'r+');
  const piece = Buffer.alloc(pieceBytes);
  const zeros = Buffer.alloc(blockBytes);
  for (let at = 0; ;) {
    signal.throwIfAborted();
    const { bytesRead } = await source.read(piece, 0, pieceBytes, at);
    if (bytesRead === 0) return;
    for (let part = 0; part < bytesRead; part += blockBytes) {
      const block = piece.subarray(part, Math.min(part + blockBytes, bytesRead));
      if (block.equals(zeros.subarray(0, block.length))) continue;
      await target.writev([block], offsetBytes + at + part);
    }
    at += bytesRead;
    onBytes?.(bytesRead);
  }
}

export async function writeRaw(image: string, writes: readonly RawWrite[]): Promise<void> {
  await using file = await open(image, 'r+');
  for (const { content, offsetBytes } of writes) {
    const bytes = 'copyOf' in content ? await readFile(content.copyOf) : content;
    await file.writev([bytes], offsetBytes);
  }
}

export async function emptyFile(path: string, sizeBytes: number): Promise<void> {
  await using file = await open(path, 'w');
  await file.truncate(sizeBytes);
}
