import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Puts a whole file in place: temporary file, fsync, rename, fsync of the directory. The old one stays until the new one is safe. */
export async function writeDurably(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', mode);
  try {
    await file.chmod(mode);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
