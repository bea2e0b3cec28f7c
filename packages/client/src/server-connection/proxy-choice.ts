import { BlockList, isIP } from 'node:net';
import { ClientError } from '../client-error.ts';

/** A proxy to go through. */
export interface Proxy {
  /** Whether the connection to the proxy itself is encrypted. */
  readonly isSecure: boolean;
  /** Name or address, without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
  /** Value of Proxy-Authorization. A secret. */
  readonly authorization: string | undefined;
}

/** The proxy for an address; undefined: none, connect directly. */
export type ProxyFor = (target: URL) => Proxy | undefined;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxies of the environment (client contract 5.3): http_proxy and https_proxy by the scheme of the target, and no_proxy, a list
 * separated by spaces or commas of `host` (with all below it), `.suffix`, `host:port`, addresses, networks as `10.0.0.0/8`, and `*`.
 * Names in capitals count as well. Throws `ClientError` `badConfiguration` that lists every problem.
 */
export function proxiesOf(environment: Environment): ProxyFor {
  const problems: string[] = [];
  const http = proxyOf('http_proxy', environment, problems);
  const https = proxyOf('https_proxy', environment, problems);
  const exceptions = (valueOf('no_proxy', environment, problems) ?? '')
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry) => exceptionOf(entry, problems));
  if (problems.length > 0) {
    throw new ClientError(
      'badConfiguration',
      `Cannot use the proxies of the environment: ${problems.join('; ')}.`,
    );
  }
  return (target) => {
    const proxy = target.protocol === 'https:' ? https : http;
    return exceptions.some((isExcepted) => isExcepted(target)) ? undefined : proxy;
  };
}

function valueOf(name: string, environment: Environment, problems: string[]): string | undefined {
  const capitals = name.toUpperCase();
  const [small, large] = [environment[name] ?? '', environment[capitals] ?? ''];
  if (small !== '' && large !== '' && small !== large)
    problems.push(`${name} and ${capitals} are both set and differ; unset one`);
  // To a CGI program HTTP_PROXY is a header of whoever asks.
  if (name === 'http_proxy' && large !== '' && environment['REQUEST_METHOD'] !== undefined)
    problems.push('HTTP_PROXY is set together with REQUEST_METHOD, as for a CGI program; use http_proxy');
  return small === '' ? large || undefined : small;
}

function proxyOf(name: string, environment: Environment, problems: string[]): Proxy | undefined {
  const value = valueOf(name, environment, problems);
  if (value === undefined) return undefined;
  // The value may hold a password, so it is not repeated.
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(text)) {
    problems.push(`${name} is not an address`);
    return undefined;
  }
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    problems.push(`${name} is of scheme ${url.protocol.slice(0, -1)}; http and https are known`);
  else if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    problems.push(`${name} has a path; a proxy has none`);
  const isSecure = url.protocol === 'https:';
  const credentials = `${decoded(url.username)}:${decoded(url.password)}`;
  return {
    isSecure,
    host: withoutBrackets(url.hostname),
    port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port),
    authorization: credentials === ':' ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Whether a target is meant by an entry of no_proxy. */
function exceptionOf(entry: string, problems: string[]): (target: URL) => boolean {
  if (entry === '*') return () => true;
  const network = /^(.*)\/(\d{1,3})$/.exec(entry);
  if (network !== null) return inNetwork(entry, network[1] ?? '', Number(network[2]), problems);
  const [, named = entry, port] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  const name = withoutBrackets(named).toLowerCase();
  return (target) => {
    if (port !== undefined && port !== portOf(target)) return false;
    const host = withoutBrackets(target.hostname);
    if (name.startsWith('.')) return host.endsWith(name);
    return host === name || (isIP(host) === 0 && host.endsWith(`.${name}`));
  };
}

function inNetwork(
  entry: string,
  address: string,
  prefixLength: number,
  problems: string[],
): (target: URL) => boolean {
  const list = new BlockList();
  try {
    list.addSubnet(address, prefixLength, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  } catch {
    problems.push(`no_proxy has "${entry}", which is no network`);
  }
  return (target) => {
    const host = withoutBrackets(target.hostname);
    const family = isIP(host);
    return family !== 0 && list.check(host, family === 6 ? 'ipv6' : 'ipv4');
  };
}

export const portOf = ({ port, protocol }: URL): string =>
  port === '' ? (protocol === 'https:' ? '443' : '80') : port;

/** The brackets of an IPv6 address belong to its URL. */
export const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');
