import { request as httpRequest, type ClientRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { SecureContext } from 'node:tls';
import { httpLimits, type HttpTrust } from './http-exchange.ts';

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
    const secure = target.protocol === 'https:';
    const options: RequestOptions & { secureContext: SecureContext; rejectUnauthorized: boolean } = {
      method,
      agent: false,
      headers: ['Host', target.host, ...headers],
      signal,
      secureContext: trust.secureContext,
      rejectUnauthorized: trust.verifyServer,
    };
    const outgoing = (secure ? httpsRequest : httpRequest)(target, options);
    const limit = (what: string, ms: number) =>
      setTimeout(() => outgoing.destroy(new Error(`no ${what} within ${ms / 1000} s`)), ms);
    const connecting = limit('connection', limits.connectMs);
    // Of the head of the answer, once the body is on its way: bodies take as long as they move.
    let answering: NodeJS.Timeout | undefined;
    outgoing.once('finish', () => {
      answering = limit('answer', limits.answerMs);
    });
    outgoing.once('socket', (socket) => {
      socket.setKeepAlive(true, 60_000);
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(connecting);
      });
    });
    const settled = () => {
      clearTimeout(connecting);
      clearTimeout(answering);
    };
    for (const event of ['response', 'upgrade', 'close'] as const) outgoing.once(event, settled);
    return outgoing;
  };
}
