import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const versions = '/usr/lib/postgresql';
const startTimeoutMs = 60_000;

export interface RunningPostgres {
  /** Of the database `postgres`, for its superuser. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/**
 * A real PostgreSQL of its own in a temporary directory, on a free port of 127.0.0.1, from Debian's package; it refuses to run as
 * root, so that root runs it as `nobody`. Durability is off: what is tested is ours, not its.
 */
export async function startPostgres(): Promise<RunningPostgres> {
  const programs = await programDirectory();
  const owner = process.getuid?.() === 0 ? await idsOf('nobody') : undefined;
  const directory = await mkdtemp(join(tmpdir(), 'tandem-postgres-'));
  await chmod(directory, 0o700);
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
  const data = join(directory, 'data');
  const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', HOME: directory };
  const identity = owner ?? {};
  try {
    await run(
      join(programs, 'initdb'),
      ['--pgdata', data, '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8', '--no-sync'],
      { ...identity, env: environment, cwd: directory, timeout: startTimeoutMs },
    );
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  const port = await freePort();
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: directory,
    max_connections: 200,
    fsync: 'off',
    full_page_writes: 'off',
  };
  const child = spawn(
    join(programs, 'postgres'),
    ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...identity, env: environment, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const printed: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => void printed.push(chunk.toString()));
  const exited = once(child, 'exit');
  const stop = async () => {
    // SIGINT: it cuts connections and ends at once.
    if (child.exitCode === null) child.kill('SIGINT');
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  for (const end = Date.now() + startTimeoutMs; !printed.join('').includes('ready to accept connections');) {
    if (child.exitCode !== null || Date.now() > end) {
      await stop();
      throw new Error(`PostgreSQL did not start:\n${printed.join('')}`);
    }
    await wait(20);
  }
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop };
}

async function programDirectory(): Promise<string> {
  const found = await readdir(versions).catch(() => []);
  for (const version of found.toSorted((a, b) => Number(b) - Number(a))) {
    const programs = join(versions, version, 'bin');
    if ((await stat(join(programs, 'initdb')).catch(() => undefined)) !== undefined) return programs;
  }
  throw new Error(`PostgreSQL is missing in ${versions}: apt-get install postgresql`);
}

async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n');
  const [, , uid, gid] = lines.find((line) => line.startsWith(`${user}:`))?.split(':') ?? [];
  if (uid === undefined || gid === undefined)
    throw new Error(`there is no user ${user} to run PostgreSQL as`);
  return { uid: Number(uid), gid: Number(gid) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
