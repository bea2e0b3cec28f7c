import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AwsClient } from 'aws4fetch';

const run = promisify(execFile);
const startTimeoutMs = 60_000;

export interface RunningSwift {
  /** As for `--storage`, with a bucket that is there. */
  readonly storage: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly stop: () => Promise<void>;
}

/** A user of tempauth; s3api takes ACCOUNT:USER for the id of the key. */
const credentials = { accessKeyId: 'test:tester', secretAccessKey: 'testing' };
const bucket = 'artifacts';

/**
 * OpenStack Swift with its S3 interface, from Debian's packages, in a temporary directory on free ports of 127.0.0.1: proxy,
 * account, container and object server, and the memcached they want. The directory is on the file system of temporary files, which
 * must know extended attributes. Whoever tests runs it; root is not needed.
 */
export async function startSwift(): Promise<RunningSwift> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-swift-'));
  const children: Child[] = [];
  const stop = async () => {
    for (const { process: child } of children.toReversed()) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    await rm(directory, { recursive: true, force: true });
  };
  const start = (program: string, args: readonly string[]) => {
    const child = startProgram(program, args, directory);
    children.push(child);
    return child;
  };
  try {
    await mkdir(join(directory, 'devices', 'd1'), { recursive: true });
    const memcached = await freePort();
    start('/usr/bin/memcached', [
      '-u',
      userInfo().username,
      '-l',
      '127.0.0.1',
      '-p',
      `${memcached}`,
      '-U',
      '0',
    ]);
    await Promise.all(
      (['account', 'container', 'object'] as const).map(async (part) => {
        const port = await freePort();
        await writeRing(directory, part, port);
        const settings = join(directory, `${part}-server.conf`);
        await writeFile(settings, storageServer(directory, part, port));
        start(`/usr/bin/swift-${part}-server`, [settings, '-v']);
      }),
    );
    const port = await freePort();
    await writeFile(join(directory, 'proxy-server.conf'), proxyServer(directory, port, memcached));
    start('/usr/bin/swift-proxy-server', [join(directory, 'proxy-server.conf'), '-v']);
    const endpoint = `http://127.0.0.1:${port}`;
    await makeBucket(endpoint, children);
    return { storage: `s3://${bucket}?endpoint=${endpoint}`, ...credentials, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Child {
  readonly process: ChildProcess;
  readonly printed: string[];
}

function startProgram(program: string, args: readonly string[], directory: string): Child {
  const child = spawn(program, args, {
    cwd: directory,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', HOME: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed: string[] = [];
  const keep = (chunk: Buffer) => {
    printed.push(chunk.toString());
    if (printed.length > 100) printed.shift();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.once('error', (error) => printed.push(`${program}: ${error.message}`));
  return { process: child, printed };
}

async function writeRing(directory: string, part: string, port: number): Promise<void> {
  const builder = join(directory, `${part}.builder`);
  const build = (...args: string[]) =>
    run('/usr/bin/swift-ring-builder', [builder, ...args], { cwd: directory });
  // 2^2 partitions, one copy of each, moved whenever.
  await build('create', '2', '1', '0');
  await build('add', `r1z1-127.0.0.1:${port}/d1`, '1');
  await build('rebalance');
}

const common = (directory: string, port: number) => `
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${userInfo().username}
swift_dir = ${directory}
`;

const storageServer = (directory: string, part: string, port: number) => `${common(directory, port)}
devices = ${join(directory, 'devices')}
mount_check = false
disable_fallocate = true
fallocate_reserve = 0

[pipeline:main]
pipeline = ${part}-server

[app:${part}-server]
use = egg:swift#${part}
`;

const proxyServer = (directory: string, port: number, memcached: number) => `${common(directory, port)}
[pipeline:main]
pipeline = catch_errors proxy-logging cache s3api tempauth bulk slo proxy-logging proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:proxy-logging]
use = egg:swift#proxy_logging

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${memcached}

[filter:s3api]
use = egg:swift#s3api
location = us-east-1

[filter:tempauth]
use = egg:swift#tempauth
user_${credentials.accessKeyId.replace(':', '_')} = ${credentials.secretAccessKey} .admin

[filter:bulk]
use = egg:swift#bulk

[filter:slo]
use = egg:swift#slo
`;

async function makeBucket(endpoint: string, children: readonly Child[]): Promise<void> {
  const client = new AwsClient({ ...credentials, service: 's3', region: 'us-east-1', retries: 0 });
  let last = '';
  for (const end = Date.now() + startTimeoutMs; Date.now() < end;) {
    try {
      const response = await client.fetch(`${endpoint}/${bucket}`, { method: 'PUT' });
      last = `${response.status} ${await response.text()}`;
      if (response.ok) return;
    } catch (error) {
      last = String(error);
    }
    await wait(50);
  }
  const printed = children.map((child) => child.printed.join('')).join('\n');
  throw new Error(
    `Swift did not start (${last}): apt-get install swift-proxy swift-account swift-container swift-object memcached\n${printed}`,
  );
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
