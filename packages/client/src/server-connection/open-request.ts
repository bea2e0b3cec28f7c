import type { ClientRequest } from 'node:http';
import { beginRequest, type HttpTrust } from './begin-request.ts';
import { httpLimits } from './http-exchange.ts';

export interface OpenRequestOptions {
  readonly method: string;
  /** Names and values in turn, sent as they are; `Host` is added. */
  readonly headers: readonly string[];
}

/**
 * Begins a request whose body the caller writes and whose answer, or upgrade, the caller takes from the events. An abort of the
 * signal, a connection that takes longer than the limit, or an answer that does, destroys it with an error.
 */
export type OpenRequest = (url: string, options: OpenRequestOptions, signal: AbortSignal) => ClientRequest;

/** Requests over connections of their own, with the trust of this device's configuration. */
export function openRequest(trust: HttpTrust, limits = httpLimits): OpenRequest {
  return (url, { method, headers }, signal) => {
    const target = new URL(url);
    const head = { method, headers: ['Host', target.host, ...headers] };
    const { outgoing, giveUp } = beginRequest(target, head, trust, () => clearTimeout(connecting));
    const stop = () => giveUp(signal.reason instanceof Error ? signal.reason : new Error('called off'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    outgoing.once('close', () => signal.removeEventListener('abort', stop));
    const limit = (what: string, ms: number) =>
      setTimeout(() => giveUp(new Error(`no ${what} within ${ms / 1000} s`)), ms);
    const connecting = limit('connection', limits.connectMs);
    // Of the head of the answer, once the body is on its way: bodies take as long as they move.
    let answering: NodeJS.Timeout | undefined;
    outgoing.once('finish', () => {
      answering = limit('answer', limits.answerMs);
    });
    const settled = () => {
      clearTimeout(connecting);
      clearTimeout(answering);
    };
    for (const event of ['response', 'upgrade', 'close'] as const) outgoing.once(event, settled);
    return outgoing;
  };
}
