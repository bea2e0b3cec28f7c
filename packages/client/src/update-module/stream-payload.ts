import { basename, join } from 'node:path';
import type { PayloadFile } from '@tandem/artifact';
import { ClientError } from '../client-error.ts';
import type { OpenFile } from '../system/open-in-time.ts';
import type { Clock, Files, Processes } from '../system/system.ts';
import { openFifoForWriting, type FifoWriter } from './fifo.ts';

export interface StreamNeeds {
  readonly files: Files;
  readonly processes: Processes;
  readonly clock: Clock;
  /** How files for a module are opened; in the usual way, each call bounded in time, when not given. */
  readonly openFile?: OpenFile;
}

/** Makes what a module finds in its work tree when a download call begins, and gives the function that takes it away. */
export async function makeStreams(
  tree: string,
  needs: StreamNeeds,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const remove = async () => {
    await needs.files.removeDurably(join(tree, 'stream-next'));
    await needs.files.removeDurably(join(tree, 'streams'));
  };
  await remove();
  await needs.files.makeDirectoryDurably(join(tree, 'streams'), 0o700);
  await makeFifo(join(tree, 'stream-next'), needs, signal);
  return remove;
}

/**
 * Hands the payload's files to a running module (client contract 13.3): for each, a line in `stream-next`, then the content in a
 * FIFO of its own; at the end `stream-next` opened and closed without a line.
 *
 * Resolves with 'ignored' when the module ended (`ended` aborts) without having asked for the first file, nothing of the payload
 * then being read. Rejects with the reason of `ended` or `signal`, with EPIPE when the module stopped reading, and with what is wrong with the
 * artifact. After a rejection a FIFO may still be open at our end, so that a module does not take a broken file for a whole one;
 * aborting `ended` closes it.
 */
export async function streamPayload(
  tree: string,
  payloadFiles: AsyncIterable<PayloadFile>,
  withSizes: boolean,
  needs: StreamNeeds,
  ended: AbortSignal,
  signal: AbortSignal,
): Promise<'streamed' | 'ignored'> {
  const stop = AbortSignal.any([ended, signal]);
  const streamNext = join(tree, 'stream-next');
  let next: FifoWriter;
  try {
    next = await openFifoForWriting(streamNext, needs.clock, stop);
  } catch (error) {
    if (ended.aborted && !signal.aborted) return 'ignored';
    throw error;
  }
  for await (const file of untilAborted(payloadFiles, stop)) {
    const path = join(tree, 'streams', checkedName(file.name));
    await makeFifo(path, needs, signal);
    await next.write(Buffer.from(`streams/${file.name}${withSizes ? ` ${file.sizeBytes}` : ''}\n`));
    await next.close();
    const content = await openFifoForWriting(path, needs.clock, stop);
    for await (const bytes of untilAborted(file.content, stop)) await content.write(bytes);
    await content.close();
    next = await openFifoForWriting(streamNext, needs.clock, stop);
  }
  await next.close();
  return 'streamed';
}

async function makeFifo(path: string, { processes }: StreamNeeds, signal: AbortSignal): Promise<void> {
  const { exitCode, stderr } = await processes.run('mkfifo', ['-m', '600', path], {
    timeoutMs: 30_000,
    signal,
  });
  if (exitCode === 0) return;
  throw new ClientError(
    'moduleFailed',
    `Could not make the FIFO ${path}: mkfifo ended with ${exitCode}: ${stderr}`,
    {
      path,
    },
  );
}

/** A file name that cannot leave its directory, nor make two lines of one. */
export function checkedName(name: string): string {
  if (name !== '' && name !== '.' && name !== '..' && basename(name) === name && !name.includes('\n'))
    return name;
  throw new ClientError(
    'artifactRefused',
    `The payload file name ${JSON.stringify(name)} cannot be used on a device`,
  );
}

/** The source's pieces; ends with the signal's reason even while the source keeps us waiting. Who owns the source closes it. */
async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  const aborted = new Promise<never>((_resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  aborted.catch(() => undefined);
  for (;;) {
    const step = await Promise.race([iterator.next(), aborted]);
    if (step.done === true) return;
    yield step.value;
  }
}
