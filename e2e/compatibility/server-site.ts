import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUser, freePort, startServer } from '@tandem/demo';
import { startCuttingProxy, type CuttingProxy } from './cutting-proxy.ts';
import { logIn, type Operator } from './operator.ts';

/** Our server as a process of its own, over HTTPS, with an administrator and a wire to it that can be cut. */
export interface ServerSite {
  /** For everything the test makes. */
  readonly directory: string;
  /** What devices and people call it by; goes over the wire that can be cut. */
  readonly url: string;
  /** File with the certificate of the server's own authority. */
  readonly authority: string;
  readonly wire: CuttingProxy;
  readonly operator: Operator;
  readonly email: string;
  readonly password: string;
  /** What the server has answered so far, out of its log. */
  answered(): Promise<readonly Answered[]>;
  close(): Promise<void>;
}

export interface Answered {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export async function openServerSite(): Promise<ServerSite> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-compatibility-'));
  const port = await freePort();
  const wire = await startCuttingProxy(port);
  const place = { dataDirectory: join(directory, 'server'), port, publicPort: wire.port };
  await mkdir(place.dataDirectory);
  const [email, password] = ['admin@example.com', randomBytes(12).toString('base64url')];
  await createUser(place, email, password);
  const server = await startServer(place);
  return {
    directory,
    url: server.url,
    authority: join(place.dataDirectory, 'tls', 'ca.pem'),
    wire,
    operator: await logIn(server, email, password),
    email,
    password,
    answered: async () => requestsOf(await readFile(join(place.dataDirectory, 'console.log'), 'utf8')),
    close: async () => {
      wire.close();
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function requestsOf(log: string): Answered[] {
  const lines = log.matchAll(/^\S+ info (?<method>[A-Z]+) (?<path>\/\S*) (?<status>\d{3}) /gm);
  return [...lines].map(({ groups }) => ({
    method: String(groups?.['method']),
    path: String(groups?.['path']),
    status: Number(groups?.['status']),
  }));
}
