import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@tandem/demo';
import { eraseBlockBytes, volumes } from './ubi-root.ts';

const flashBytes = 256 << 20;
/** What UBI's two headers leave of an erase block, on flash that is written byte by byte. */
const logicalBlockBytes = eraseBlockBytes - 128;
const sizesMiB = { data: 16, rootfsa: 96, rootfsb: 96 } as const satisfies Record<
  keyof typeof volumes,
  number
>;

/** A UBIFS image of a directory that fits the volume. Needs mtd-utils. */
export async function makeUbifs(
  directory: string,
  volume: keyof typeof volumes,
  path: string,
): Promise<string> {
  const blocks = Math.floor((sizesMiB[volume] << 20) / logicalBlockBytes);
  const geometry = ['-m', '8', '-e', String(logicalBlockBytes), '-c', String(blocks)];
  await runProgram('/usr/sbin/mkfs.ubifs', ['-r', directory, ...geometry, '-x', 'zstd', '-o', path], {
    timeoutMs: 300_000,
  });
  return path;
}

/** The raw contents of the flash: data and the first root file system, an empty second one, and erased blocks. */
export async function makeFlash(
  directory: string,
  images: { readonly data: string; readonly rootfsa: string },
): Promise<string> {
  const configuration = Object.entries(volumes).map(([name, number]) => {
    const image = name in images ? `image=${images[name as keyof typeof images]}\n` : '';
    const size = `${String(sizesMiB[name as keyof typeof volumes])}MiB`;
    return `[${name}]\nmode=ubi\n${image}vol_id=${String(number)}\nvol_type=dynamic\nvol_name=${name}\nvol_size=${size}\n`;
  });
  const path = (name: string) => join(directory, name);
  await writeFile(path('ubinize.cfg'), configuration.join('\n'));
  const geometry = ['-m', '1', '-p', String(eraseBlockBytes)];
  await runProgram('/usr/sbin/ubinize', ['-o', path('flash.ubi'), ...geometry, path('ubinize.cfg')]);
  const flash = await open(path('flash.img'), 'wx');
  const erased = Buffer.alloc(1 << 20, 0xff);
  for (let at = 0; at < flashBytes; at += erased.length) await flash.write(erased, 0, erased.length, at);
  await flash.close();
  await runProgram('dd', [
    `if=${path('flash.ubi')}`,
    `of=${path('flash.img')}`,
    'bs=1M',
    'conv=notrunc',
    'status=none',
  ]);
  return path('flash.img');
}
