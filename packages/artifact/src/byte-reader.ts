const empty = new Uint8Array(0);

/**
 * Reads a stream of bytes by number of bytes instead of by chunk, and knows where it stands. Must be closed, also after an
 * error, or the source (a file, a decompressor, a connection) stays open.
 *
 * A chunk of the source counts only until the next is asked for, and so do the bytes given out of it.
 */
export class ByteReader {
  /** Bytes given out so far. */
  offset = 0;
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  /** What has been taken from the source but not given out, in order. */
  readonly #held: Uint8Array[] = [];
  #ended = false;
  #waiting = false;

  constructor(source: AsyncIterable<Uint8Array>, signal?: AbortSignal) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  /** The next bytes, one or more but at most `maxBytes`; undefined at the end. Rejects with the signal's reason. */
  async some(maxBytes: number): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#held.shift();
      if (chunk !== undefined && chunk.length > 0) {
        const piece = chunk.subarray(0, maxBytes);
        if (piece.length < chunk.length) this.#held.unshift(chunk.subarray(maxBytes));
        this.offset += piece.length;
        return piece;
      }
      if (chunk === undefined && !(await this.#fetch())) return undefined;
    }
  }

  /** The next `count` bytes, or fewer at the end. They are gathered in memory: `count` must have been bounded. */
  async upTo(count: number): Promise<Uint8Array> {
    const first = count === 0 ? empty : ((await this.some(count)) ?? empty);
    if (first.length === count || first.length === 0) return first;
    const bytes = Buffer.allocUnsafe(count);
    bytes.set(first);
    let length = first.length;
    while (length < count) {
      const piece = await this.some(count - length);
      if (piece === undefined) break;
      bytes.set(piece, length);
      length += piece.length;
    }
    return bytes.subarray(0, length);
  }

  /** Takes back the last bytes given out, as a decompressor does with what lies behind its own end. */
  giveBack(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#held.unshift(bytes);
    this.offset -= bytes.length;
  }

  async atEnd(): Promise<boolean> {
    const piece = await this.some(1);
    if (piece === undefined) return true;
    this.giveBack(piece);
    return false;
  }

  async close(): Promise<void> {
    this.#ended = true;
    this.#held.length = 0;
    const returned = this.#iterator.return?.();
    // A generator that is still waiting for its own source answers only when that does: it is told, but not waited for.
    if (this.#waiting) returned?.catch(() => undefined);
    else await returned;
  }

  async #fetch(): Promise<boolean> {
    if (this.#ended) return false;
    this.#signal?.throwIfAborted();
    this.#waiting = true;
    const next = await orAborted(
      this.#iterator.next().finally(() => (this.#waiting = false)),
      this.#signal,
    );
    if (next.done === true) this.#ended = true;
    else this.#held.push(next.value);
    return next.done !== true;
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
