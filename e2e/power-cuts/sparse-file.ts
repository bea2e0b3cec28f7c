import { open } from 'node:fs/promises';

const stepBytes = 64 * 1024;

/** Writes a disk image anew, with holes where there is nothing. */
export async function writeSparse(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'w');
  const nothing = Buffer.alloc(stepBytes);
  await file.truncate(content.length);
  for (let at = 0; at < content.length; at += stepBytes) {
    const piece = content.subarray(at, at + stepBytes);
    if (!piece.equals(nothing.subarray(0, piece.length))) await file.write(piece, 0, piece.length, at);
  }
  await file.close();
}
