import { createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

const chunkBytes = 1024 ** 2;

/** Copies a file that is not there yet, with its directory (for the owner alone); durable when this resolves. */
export async function copyFileDurably(
  from: string,
  to: string,
): Promise<{ sizeBytes: number; sha256: string; mode: number }> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  const source = await open(from, 'r');
  try {
    const mode = (await source.stat()).mode & 0o777;
    const target = await open(to, 'wx', mode);
    try {
      await target.chmod(mode);
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(chunkBytes);
      let sizeBytes = 0;
      for (;;) {
        const { bytesRead } = await source.read(buffer, 0, chunkBytes, sizeBytes);
        if (bytesRead === 0) break;
        const chunk = buffer.subarray(0, bytesRead);
        hash.update(chunk);
        for (let written = 0; written < bytesRead;) {
          written += (await target.write(chunk, written, bytesRead - written, sizeBytes + written))
            .bytesWritten;
        }
        sizeBytes += bytesRead;
      }
      await target.sync();
      return { sizeBytes, sha256: hash.digest('hex'), mode };
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** What was made in a directory stays made. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
