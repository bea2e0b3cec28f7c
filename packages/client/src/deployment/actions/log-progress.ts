import type { PayloadFile } from '@tandem/artifact';
import type { Log } from '../../system/system.ts';

/** A file's content, each tenth of it told in the log. */
export async function* withProgress(file: PayloadFile, log: Log): AsyncIterable<Uint8Array> {
  const tenthsOf = (bytes: number) => Math.floor((bytes * 10) / Math.max(file.sizeBytes, 1));
  let readBytes = file.resumedAt ?? 0;
  let tenths = tenthsOf(readBytes);
  for await (const bytes of file.content) {
    yield bytes;
    readBytes += bytes.byteLength;
    const now = tenthsOf(readBytes);
    if (now > tenths && file.sizeBytes >= progressFromBytes)
      log('info', `${file.name}: ${now * 10}% of ${file.sizeBytes} bytes`);
    tenths = now;
  }
}

/** Smaller files are there at once. */
const progressFromBytes = 8 * 1024 * 1024;
