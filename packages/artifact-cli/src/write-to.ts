import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Writes content to a stream that stays open, at the stream's pace. */
export async function writeTo(
  stream: Writable,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  for await (const piece of content) {
    signal.throwIfAborted();
    if (!stream.write(piece)) await once(stream, 'drain', { signal });
  }
}
