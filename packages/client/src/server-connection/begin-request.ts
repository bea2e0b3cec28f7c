import { request as httpRequest, type ClientRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { portOf, withoutBrackets, type Proxy, type ProxyFor } from './proxy-choice.ts';

/** What a connection is made with; see `tls-trust.ts` and `proxy-choice.ts`. */
export interface HttpTrust {
  readonly secureContext: SecureContext;
  readonly verifyServer: boolean;
  /** Which proxy to go through; without it, none. */
  readonly proxyFor?: ProxyFor;
}

export interface RequestHead {
  readonly method: string;
  /** As a record, or names and values in turn, sent as they are. */
  readonly headers: Readonly<Record<string, string>> | readonly string[];
}

export interface BegunRequest {
  readonly outgoing: ClientRequest;
  /** Ends it, also while a proxy still makes the connection, when Node's own `destroy` would wait for that. */
  readonly giveUp: (error: Error) => void;
}

/**
 * Begins a request over a connection of its own (client contract 6.1: no keep-alive), directly or through a proxy: to an http target by
 * asking the proxy for the whole address, to an https target through a tunnel (CONNECT) with TLS from end to end. `onConnected` is
 * called once the connection stands, TLS included. The caller writes the body and takes what comes from the events.
 */
export function beginRequest(
  target: URL,
  { method, headers }: RequestHead,
  trust: HttpTrust,
  onConnected: () => void,
): BegunRequest {
  const proxy = trust.proxyFor?.(target);
  const verification = { secureContext: trust.secureContext, rejectUnauthorized: trust.verifyServer };
  // Node's types have `headers` mutable.
  const options = { method, headers: headers as NonNullable<RequestOptions['headers']>, ...verification };
  const isSecure = target.protocol === 'https:';
  if (proxy === undefined) {
    const outgoing = (isSecure ? httpsRequest : httpRequest)(target, { ...options, agent: false });
    return whenConnected(outgoing, isSecure ? 'secureConnect' : 'connect', onConnected);
  }
  if (isSecure) return throughTunnel(target, proxy, options, verification, onConnected);
  const outgoing = (proxy.isSecure ? httpsRequest : httpRequest)({
    ...options,
    agent: false,
    host: proxy.host,
    port: proxy.port,
    path: target.href.replace(/#.*$/s, ''),
    headers: [...pairsOf(options.headers, target), ...authorizationOf(proxy)],
  });
  return whenConnected(outgoing, proxy.isSecure ? 'secureConnect' : 'connect', onConnected);
}

function whenConnected(
  outgoing: ClientRequest,
  event: 'connect' | 'secureConnect',
  onConnected: () => void,
): BegunRequest {
  outgoing.once('socket', (socket) => {
    socket.setKeepAlive(true, 60_000);
    socket.once(event, onConnected);
  });
  return { outgoing, giveUp: (error) => void outgoing.destroy(error) };
}

type Verification = Pick<HttpTrust, 'secureContext'> & { readonly rejectUnauthorized: boolean };

function throughTunnel(
  target: URL,
  proxy: Proxy,
  options: RequestOptions,
  verification: Verification,
  onConnected: () => void,
): BegunRequest {
  const gaveUp = new AbortController();
  const outgoing = httpsRequest(target, {
    ...options,
    // Without `agent`: that is when Node asks for the connection here.
    createConnection: (_options, created) => {
      openTunnel(target, proxy, verification, gaveUp.signal).then(
        (socket) => {
          onConnected();
          created(null, socket);
        },
        (error: unknown) => {
          // Node's types want a socket even for an error.
          (created as (error: unknown) => void)(gaveUp.signal.aborted ? gaveUp.signal.reason : error);
        },
      );
      return undefined;
    },
  });
  outgoing.once('close', () => gaveUp.abort(new Error('the request has ended')));
  const giveUp = (error: Error) => {
    outgoing.destroy(error);
    gaveUp.abort(error);
  };
  return { outgoing, giveUp };
}

/** A connection to the target, TLS included. Rejects with what is wrong, and with the signal's reason. */
async function openTunnel(
  target: URL,
  proxy: Proxy,
  verification: Verification,
  signal: AbortSignal,
): Promise<Socket> {
  const host = withoutBrackets(target.hostname);
  const tunnel = await connectThrough(target, proxy, verification, signal);
  tunnel.setKeepAlive(true, 60_000);
  return await new Promise<Socket>((resolve, reject) => {
    const socket = connectTls({
      ...verification,
      socket: tunnel,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const fail = (error: Error) => {
      socket.destroy();
      tunnel.destroy();
      reject(error);
    };
    const stop = () => fail(new Error('the request has ended'));
    signal.addEventListener('abort', stop, { once: true });
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', stop);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

async function connectThrough(
  target: URL,
  proxy: Proxy,
  verification: Verification,
  signal: AbortSignal,
): Promise<Socket> {
  const authority = `${target.hostname}:${portOf(target)}`;
  const name = `the proxy ${proxy.host}:${proxy.port}`;
  return await new Promise<Socket>((resolve, reject) => {
    const asking = (proxy.isSecure ? httpsRequest : httpRequest)({
      ...verification,
      agent: false,
      method: 'CONNECT',
      host: proxy.host,
      port: proxy.port,
      path: authority,
      headers: ['Host', authority, ...authorizationOf(proxy)],
      signal,
    });
    asking.once('error', (error) => {
      reject(new Error(`${name} cannot be reached: ${error.message}`, { cause: error }));
    });
    // What a refusing proxy says in its body is of no use.
    const refuse = (status: number | undefined) => {
      asking.destroy();
      const hint = status === 407 ? '; set user and password in https_proxy' : '';
      reject(new Error(`${name} refused the connection to ${authority} with ${status}${hint}`));
    };
    asking.once('response', ({ statusCode }) => refuse(statusCode));
    asking.once('connect', ({ statusCode = 0 }, socket, head) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        refuse(statusCode);
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asking.end();
  });
}

const authorizationOf = ({ authorization }: Proxy): readonly string[] =>
  authorization === undefined ? [] : ['Proxy-Authorization', authorization];

/** Headers as pairs, with the Host of the target, which Node would take from the proxy's address. */
function pairsOf(headers: RequestOptions['headers'], target: URL): string[] {
  const pairs = Array.isArray(headers)
    ? (headers as string[])
    : Object.entries(headers ?? {}).flatMap(([name, value]) => [name, String(value)]);
  const hasHost = pairs.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  return hasHost ? pairs : ['Host', target.host, ...pairs];
}
