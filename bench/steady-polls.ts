import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { askAtRate, wireRequest, type Answers } from './server-requests.ts';

/*
 * Devices that poll at a steady rate beside something else that is measured. They have a thread of their own: what that other thing keeps
 * this process's event loop busy with must not be taken for the server's time.
 */

export interface SteadyPolls {
  readonly url: string;
  readonly path: string;
  readonly perSecond: number;
  /** Tokens of the devices, which take turns. */
  readonly tokens: readonly string[];
}

/** Begins to poll; the answer ends it and tells all that was answered. */
export function pollSteadily(polls: SteadyPolls): () => Promise<Pick<Answers, 'byStatus' | 'latencies'>> {
  const worker = new Worker(new URL(import.meta.url), { workerData: polls });
  const failed = once(worker, 'exit').then(() => {
    throw new Error('the polls broke off');
  });
  // Told to whoever asks for the answers.
  failed.catch(() => undefined);
  return async () => {
    worker.postMessage('end');
    const [answers] = (await Promise.race([once(worker, 'message'), failed])) as [
      Pick<Answers, 'byStatus' | 'latencies'>,
    ];
    await worker.terminate();
    return answers;
  };
}

async function poll({ url, path, perSecond, tokens }: SteadyPolls): Promise<void> {
  let isOver = false;
  parentPort?.once('message', () => (isOver = true));
  const server = new URL(url);
  const latencies: Float64Array[] = [];
  const byStatus = new Map<number, number>();
  for (let asked = 0; !isOver; asked += perSecond) {
    const load = { perSecond, seconds: 1, maxConnections: 50 };
    const answers = await askAtRate(server, load, (number) =>
      wireRequest(server, 'GET', path, { token: tokens[(asked + number) % tokens.length] ?? '' }),
    );
    latencies.push(answers.latencies);
    for (const [status, count] of answers.byStatus) byStatus.set(status, (byStatus.get(status) ?? 0) + count);
  }
  parentPort?.postMessage({
    byStatus,
    latencies: Float64Array.from(latencies.flatMap((some) => [...some])).sort(),
  });
}

if (!isMainThread) await poll(workerData as SteadyPolls);
