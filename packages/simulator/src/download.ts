import { setTimeout as wait } from 'node:timers/promises';

export interface DownloadWorld {
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal;
  /** Told of each answer. */
  readonly answered: (status: number, milliseconds: number) => void;
  readonly received: (bytes: number) => void;
}

/**
 * Takes a file as fast as the link of the device is, and drops it. With `cutAfter` bytes the link breaks there once, and the rest is
 * asked for by Range. Resolves with the bytes that came, or with the status of a refusal.
 */
export async function download(
  url: string,
  { bytesPerSecond, cutAfter }: { readonly bytesPerSecond: number; readonly cutAfter: number | undefined },
  { fetch, signal, answered, received }: DownloadWorld,
): Promise<{ readonly bytes: number } | { readonly refused: number }> {
  let bytes = 0;
  let cutAt = cutAfter;
  for (;;) {
    const asked = performance.now();
    const answer = await fetch(url, { signal, headers: bytes === 0 ? {} : { range: `bytes=${bytes}-` } });
    answered(answer.status, performance.now() - asked);
    if (!(bytes === 0 ? answer.status === 200 : answer.status === 206)) {
      await answer.body?.cancel();
      return { refused: answer.status };
    }
    const begun = performance.now();
    let came = 0;
    let isCut = false;
    for await (const chunk of answer.body ?? []) {
      came += chunk.length;
      received(chunk.length);
      const aheadMs = (came / bytesPerSecond) * 1000 - (performance.now() - begun);
      if (aheadMs > 1) await wait(aheadMs, undefined, { signal });
      isCut = cutAt !== undefined && bytes + came >= cutAt;
      // Leaving the loop gives up the connection.
      if (isCut) break;
    }
    bytes += came;
    if (!isCut) return { bytes };
    cutAt = undefined;
  }
}
