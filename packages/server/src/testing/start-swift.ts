import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AwsClient } from 'aws4fetch';

const run = promisify(execFile);
const startTimeoutMs = 120_000;

export interface RunningSwift {
  /** As for `--storage`, with a bucket that is there. */
  readonly storage: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** How many objects and parts of objects lie on its disk, whatever its interface shows. */
  readonly filesOnDisk: () => Promise<number>;
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
    const ports = { account: await freePort(), container: await freePort(), object: await freePort() };
    await writeRings(directory, ports);
    for (const [part, port] of Object.entries(ports)) {
      const settings = join(directory, `${part}-server.conf`);
      await writeFile(settings, storageServer(directory, part, port));
      start(`/usr/bin/swift-${part}-server`, [settings, '-v']);
    }
    const port = await freePort();
    await writeFile(join(directory, 'proxy-server.conf'), proxyServer(directory, port, memcached));
    start('/usr/bin/swift-proxy-server', [join(directory, 'proxy-server.conf'), '-v']);
    const filesOnDisk = async () =>
      (await readdir(join(directory, 'devices'), { recursive: true })).filter((name) =>
        name.endsWith('.data'),
      ).length;
    const endpoint = `http://127.0.0.1:${port}`;
    await makeBucket(endpoint, children);
    return { storage: `s3://${bucket}?endpoint=${endpoint}`, ...credentials, filesOnDisk, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** For tests in this process: what opens any storage (every-storage.ts) has a bucket from now on, until what is returned is called. */
export async function startSwiftForTests(): Promise<() => Promise<void>> {
  const { stop, ...swift } = await startSwift();
  Object.assign(process.env, environmentOf(swift));
  return stop;
}

/** For tests in processes of their own. */
export const environmentOf = ({
  storage,
  accessKeyId,
  secretAccessKey,
}: Pick<RunningSwift, 'storage' | 'accessKeyId' | 'secretAccessKey'>) => ({
  TANDEM_TEST_S3: storage,
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
});

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

/** One device, 2^2 partitions, one copy of each: what swift-ring-builder does, in one process instead of nine. */
const ringScript = `
import sys
from swift.common.ring import RingBuilder
for part, port in (pair.split('=') for pair in sys.argv[1:]):
    builder = RingBuilder(2, 1, 0)
    builder.add_dev({'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': 'd1', 'weight': 1})
    builder.rebalance()
    builder.get_ring().save(part + '.ring.gz')
`;

async function writeRings(directory: string, ports: Readonly<Record<string, number>>): Promise<void> {
  const pairs = Object.entries(ports).map(([part, port]) => `${part}=${port}`);
  await run('/usr/bin/python3', ['-c', ringScript, ...pairs], { cwd: directory, timeout: startTimeoutMs });
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
