import type { Duplex } from 'node:stream';

/**
 * Sends bytes through a duplex stream (a node:zlib engine) as an async iterable, at the pace of whoever iterates. However the iteration
 * ends, the stream is destroyed and the source's iterator closed.
 */
export async function* throughStream(
  source: AsyncIterable<Uint8Array>,
  stream: Duplex,
): AsyncIterable<Uint8Array> {
  let sourceFault: unknown;
  const feeding = feed(source, stream).catch((error: unknown) => {
    sourceFault ??= error;
    stream.destroy(error as Error);
  });
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) yield piece;
  } catch (error) {
    throw sourceFault ?? error;
  } finally {
    // The feeding ends by itself once the source answers; that may be long, or never, so it is not waited for.
    stream.destroy();
    void feeding;
  }
}

async function feed(source: AsyncIterable<Uint8Array>, stream: Duplex): Promise<void> {
  for await (const piece of source) {
    if (stream.destroyed) return;
    await write(stream, piece);
  }
  if (!stream.destroyed) stream.end();
}

/** Resolves when the stream has dealt with the piece, or was destroyed. */
function write(stream: Duplex, piece: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('close', done);
      resolve();
    };
    stream.once('close', done);
    stream.write(piece, done);
  });
}
