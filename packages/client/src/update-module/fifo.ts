import { constants, open } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import type { Clock } from '../system/system.ts';
import { storageCallLimitMs, withinTime } from '../system/within-time.ts';

/*
 * A FIFO opened or written in the ordinary way blocks until somebody reads, and in Node it blocks one of the few threads that do
 * all file work. So it is opened without waiting, again and again until there is a reader, and then written through the event loop:
 * a program that never reads costs a timer, not a thread, and an abort ends the wait at once.
 */

/** A FIFO with a reader at its other end. */
export interface FifoWriter {
  /** Resolves when the pipe has taken the bytes; rejects when the reader has gone (EPIPE), or with the signal's reason. */
  write(bytes: Uint8Array): Promise<void>;
  /** What was written stays readable; behind it the reader finds the end. */
  close(): Promise<void>;
}

/**
 * Resolves once a program has opened the FIFO for reading; rejects with the signal's reason, which also ends later writes.
 * A program still waiting in its own opening of the FIFO counts: Linux lets both openings succeed.
 */
export async function openFifoForWriting(
  path: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<FifoWriter> {
  for (let waitMs = 2; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal.throwIfAborted();
    const descriptor = await openIfThereIsReader(path);
    if (descriptor !== undefined) return fifoWriter(descriptor, signal);
    await clock.sleep(waitMs, signal);
  }
}

const longestWaitMs = 50;

async function openIfThereIsReader(path: string): Promise<number | undefined> {
  try {
    const opening = promisify(open)(path, constants.O_WRONLY | constants.O_NONBLOCK);
    return await withinTime(opening, `Opening ${path}`, storageCallLimitMs);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENXIO') return undefined;
    throw error;
  }
}

function fifoWriter(descriptor: number, signal: AbortSignal): FifoWriter {
  const pipe = new Socket({ fd: descriptor, readable: false, writable: true });
  const closed = new Promise<void>((resolve) => pipe.once('close', () => resolve()));
  const stop = () => pipe.destroy();
  signal.addEventListener('abort', stop, { once: true });
  // Each write's own callback tells of its failure.
  pipe.on('error', () => undefined);
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        pipe.write(bytes, (error) => {
          if (signal.aborted) reject(signal.reason);
          else if (error) reject(error);
          else resolve();
        });
      }),
    close: async () => {
      signal.removeEventListener('abort', stop);
      pipe.destroy();
      await closed;
    },
  };
}
