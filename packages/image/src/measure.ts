import type { Privileges } from './privileges.ts';

const blockBytes = 4096;
/** A shorter link lies in its inode. */
const inlineLinkBytes = 60;

/** What the files below a directory take in a file system of blocks of 4 KiB, each of several names counted once. */
export async function contentBytes(directory: string, privileges: Privileges): Promise<number> {
  const seen = new Set<string>();
  let bytes = 0;
  const count = (line: string) => {
    const [type, links, inode = '', size] = line.split(' ');
    if (type === 'd') bytes += Math.ceil(Number(size) / blockBytes) * blockBytes || blockBytes;
    if (type === 'l' && Number(size) >= inlineLinkBytes) bytes += blockBytes;
    if (type !== 'f' || seen.has(inode)) return;
    if (links !== '1') seen.add(inode);
    bytes += Math.ceil(Number(size) / blockBytes) * blockBytes;
  };
  await privileges.run('find', [directory, '-printf', '%y %n %i %s\\n'], { onLine: count });
  return bytes;
}
