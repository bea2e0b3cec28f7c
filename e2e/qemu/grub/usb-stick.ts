import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { runProgram } from '@tandem/demo';

const roomBytes = 8 << 20;

/** A USB stick as people have them, one FAT file system over the whole of it, with a file on it. Its raw image is written to `path`. */
export async function makeStick(path: string, file: string): Promise<string> {
  const { size } = await stat(file);
  const image = await open(path, 'wx');
  await image.truncate(Math.ceil((size + roomBytes) / roomBytes) * roomBytes);
  await image.close();
  await runProgram('/usr/sbin/mkfs.vfat', ['-n', 'UPDATE', path]);
  await runProgram('mcopy', ['-i', path, file, `::${basename(file)}`]);
  return path;
}
