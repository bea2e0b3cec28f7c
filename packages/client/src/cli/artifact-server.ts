import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How the stand-in behaves; may be changed while it runs. */
export interface ArtifactServerBehaviour {
  artifact: Buffer;
  etag: string | undefined;
  /** In the next answers the body stops at this byte of the artifact, and the connection stays as it is. */
  holdAt: number;
  /** The same, but the connection is reset. */
  cutAt: number;
  /** Only links of this generation or later are good. */
  goodLinksFrom: number;
}

export interface SeenByServer {
  readonly statuses: string[];
  log: string;
  inventory: string;
  /** Ranges asked for, in order; undefined is the whole. */
  readonly ranges: (string | undefined)[];
  /** Bytes of the artifact given to the network. */
  servedBytes: number;
  /** An answer has stopped at `holdAt`. */
  held: boolean;
  polls: number;
}

/**
 * A server for tests that accepts any device and offers `deployment-1` with artifact `version-2` to it until it has ended. `heard` is
 * told of each report of a status and each request for a deployment before it is answered.
 */
export async function startArtifactServer(artifact: Buffer, heard: (what: string) => void = () => undefined) {
  const behaviour: ArtifactServerBehaviour = {
    artifact,
    etag: '"one"',
    holdAt: Infinity,
    cutAt: Infinity,
    goodLinksFrom: 0,
  };
  const seen: SeenByServer = {
    statuses: [],
    log: '',
    inventory: '',
    ranges: [],
    servedBytes: 0,
    held: false,
    polls: 0,
  };
  const server = createServer((request, response) => {
    void answer(request, response, behaviour, seen, heard).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behaviour,
    seen,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  behaviour: ArtifactServerBehaviour,
  seen: SeenByServer,
  heard: (what: string) => void,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const path = request.url ?? '';
  if (path.startsWith('/artifact/')) await giveArtifact(request, response, behaviour, seen);
  else if (path.endsWith('/auth_requests')) response.end('a.token');
  else if (path.endsWith('/inventory/device/attributes')) {
    seen.inventory = body;
    response.end();
  } else if (path.endsWith('/deployments/next')) {
    seen.polls += 1;
    heard('asks for a deployment');
    const over = seen.statuses.some((status) => status === 'success' || status === 'failure');
    if (over) response.writeHead(204).end();
    else {
      const uri = `http://${request.headers.host}/artifact/${seen.polls}?secret`;
      const source = { uri, expire: '2099-01-01T00:00:00Z' };
      const offered = { artifact_name: 'version-2', device_types_compatible: ['virtual'], source };
      response.end(JSON.stringify({ id: 'deployment-1', artifact: offered }));
    }
  } else if (path.endsWith('/deployment-1/status')) {
    const { status } = JSON.parse(body) as { status: string };
    seen.statuses.push(status);
    heard(`status ${status}`);
    response.writeHead(204).end();
  } else if (path.endsWith('/deployment-1/log')) {
    seen.log = body;
    response.writeHead(204).end();
  } else response.writeHead(404).end();
}

async function giveArtifact(
  { headers, url }: IncomingMessage,
  response: ServerResponse,
  behaviour: ArtifactServerBehaviour,
  seen: SeenByServer,
): Promise<void> {
  seen.ranges.push(headers.range);
  const generation = Number(/^\/artifact\/(\d+)/.exec(url ?? '')?.[1]);
  if (generation < behaviour.goodLinksFrom) {
    response.writeHead(403).end();
    return;
  }
  const { artifact, etag, holdAt, cutAt } = behaviour;
  const asked = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const changed = headers['if-range'] !== undefined && headers['if-range'] !== etag;
  const isPart = asked !== null && !changed;
  const first = isPart ? Number(asked[1]) : 0;
  const last = isPart && asked[2] !== '' ? Number(asked[2]) : artifact.length - 1;
  response.writeHead(isPart ? 206 : 200, {
    'Content-Length': last - first + 1,
    ...(etag === undefined ? {} : { ETag: etag }),
    ...(isPart ? { 'Content-Range': `bytes ${first}-${last}/${artifact.length}` } : {}),
  });
  for (let at = first; at <= last;) {
    const until = Math.min(at + pieceBytes, last + 1, holdAt, cutAt);
    if (until <= at) break;
    seen.servedBytes += until - at;
    await new Promise((resolve) => response.write(artifact.subarray(at, until), resolve));
    if (response.destroyed) return;
    at = until;
  }
  if (holdAt <= last) seen.held = true;
  else if (cutAt <= last) response.destroy();
  else response.end();
}

const pieceBytes = 64 * 1024;
