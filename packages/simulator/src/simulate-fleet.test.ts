import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { openAsBlob } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  createApiClient,
  createDeployment,
  getDeployment,
  getDeploymentDevices,
  getDeploymentStatistics,
  getDeviceDeploymentLog,
  listDevices,
  login,
  setAuthSetStatus,
  uploadArtifact,
  type ApiClient,
} from '@tandem/api';

const run = promisify(execFile);
const program = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const serverProgram = program('server/bin/tandem-server.js');
const user = { email: 'fleet@example.com', password: 'correct horse battery' };
const deadlineMs = 60_000;

/** A real server, and the operator's hands on it. */
async function startServer(directory: string) {
  const child = spawn(
    process.execPath,
    [serverProgram, 'serve', '--data-dir', directory, '--listen', '127.0.0.1:0', '--http'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  let url = '';
  for await (const line of createInterface({ input: child.stdout })) {
    url = /ready at (http:\S+)/.exec(line)?.[1] ?? '';
    if (url !== '') break;
  }
  child.stdout.resume();
  const authorization = `Basic ${Buffer.from(`${user.email}:${user.password}`).toString('base64')}`;
  const visitor = createApiClient({ baseUrl: url, token: () => undefined, fetch });
  const { body: token } = await visitor(login, { headers: { authorization } });
  const call = createApiClient({ baseUrl: url, token: () => token, fetch });
  return {
    url,
    call,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** The simulator as it is started from a shell. */
function startSimulator(args: readonly string[]) {
  const child = spawn(process.execPath, [program('simulator/bin/tandem-simulator.js'), ...args]);
  const printed: string[] = [];
  const exited = once(child, 'close');
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => void printed.push(chunk.toString()));
  return {
    end: async (signal?: NodeJS.Signals): Promise<{ code: number | null; text: string }> => {
      if (signal !== undefined) child.kill(signal);
      const [code] = (await exited) as [number | null];
      return { code, text: printed.join('') };
    },
  };
}

async function until<T>(what: string, found: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + deadlineMs; Date.now() < end; await wait(100)) {
    const value = await found();
    if (value !== undefined) return value;
  }
  throw new Error(`waited in vain until ${what}`);
}

const acceptAll = (call: ApiClient, count: number): Promise<string[]> =>
  until(`${count} devices were accepted`, async () => {
    const { body: devices } = await call(listDevices, { query: { per_page: 500 } });
    for (const { id, status, auth_sets: sets } of devices) {
      const aid = sets?.[0]?.id;
      if (status === 'pending' && aid !== undefined)
        await call(setAuthSetStatus, { params: { id, aid }, body: { status: 'accepted' } });
    }
    return devices.length === count ? devices.map(({ id }) => id) : undefined;
  });

describe('a simulated fleet', () => {
  let directory: string;
  let server: Awaited<ReturnType<typeof startServer>>;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tandem-simulator-'));
    const created = run(process.execPath, [
      serverProgram, 'user', 'create', '--data-dir', directory, '--email', user.email, '--password-stdin',
    ]); // prettier-ignore
    created.child.stdin?.end(`${user.password}\n`);
    await created;
    server = await startServer(directory);
  });
  after(async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  });

  it('is let in, takes an update over bad links, and tells of its failures; the server counts the same', async () => {
    const kind = {
      pollSeconds: 0.5, retrySeconds: 0.3, bytesPerSecond: 2e6, installSeconds: [0.01, 0.05], rebootSeconds: [0.01, 0.05],
      rebootFails: 0, commitFails: 0, installFails: 0, downloadIsCut: 0,
    }; // prettier-ignore
    const profile = join(directory, 'profile.json');
    await writeFile(
      profile,
      JSON.stringify({
        defaults: kind,
        kinds: [
          { name: 'good', weight: 3, deviceType: 'good' },
          { name: 'cut', weight: 1, deviceType: 'cut', downloadIsCut: 1 },
          { name: 'bad', weight: 1, deviceType: 'bad', installFails: 1 },
          { name: 'other', weight: 1, deviceType: 'other' },
        ],
      }),
    );
    const file = join(directory, 'payload');
    await writeFile(file, Buffer.alloc(300_000, 'x'));
    const artifact = join(directory, 'release-2.mender');
    const types = ['good', 'cut', 'bad'].flatMap((type) => ['-t', type]);
    await run(process.execPath, [
      program('artifact-cli/bin/tandem-artifact.js'), 'write', 'module-image', '-T', 'single-file', '-n', 'release-2',
      ...types, '-f', file, '--compression', 'none', '-o', artifact,
    ]); // prettier-ignore
    const form = new FormData();
    form.set('artifact', await openAsBlob(artifact), 'release-2.mender');
    await server.call(uploadArtifact, { body: form });

    const simulator = startSimulator([
      '--server', server.url, '--devices', '30', '--profile', profile, '--seed', 'test', '--progress', '1',
    ]); // prettier-ignore
    const devices = await acceptAll(server.call, 30);
    const created = await server.call(createDeployment, {
      body: { name: 'to all', artifact_name: 'release-2', devices },
    });
    const id = String(created.headers['location']).split('/').at(-1) ?? '';
    await until('the deployment has finished', async () =>
      (await server.call(getDeployment, { params: { id } })).body.status === 'finished' ? true : undefined,
    );
    const { body: statistics } = await server.call(getDeploymentStatistics, { params: { id } });
    const { body: parts } = await server.call(getDeploymentDevices, { params: { id } });
    const failed = parts.filter(({ status }) => status === 'failure');
    assert.ok(failed.length > 0);
    for (const { id: device_id } of failed) {
      // It comes after the status that ends the deployment.
      const log = await until(`${device_id} sent its log`, () =>
        server.call(getDeviceDeploymentLog, { params: { id, device_id } }).then(
          ({ body }) => body,
          () => undefined,
        ),
      );
      assert.match(log, /simulated: installing the artifact failed/);
    }
    const { code, text } = await simulator.end('SIGTERM');
    assert.equal(code, 0, text);
    const counted = (name: string) => Number(new RegExp(`^${name} +(\\d+)$`, 'm').exec(text)?.[1]);
    assert.equal(counted('succeeded'), statistics.success);
    assert.equal(counted('failed'), statistics.failure);
    assert.ok(counted('cut') > 0 && statistics.noartifact > 0, text);
    assert.match(text, /^\S+Z 30 devices: \d+ let in/m);
    assert.match(text, /^authenticateDevice +401: \d+, 200: \d+|^authenticateDevice +200/m);
  });

  it('is the same fleet whenever the seed is: it is known already', async () => {
    const before = (await server.call(listDevices, { query: { per_page: 500 } })).body.length;
    const simulator = startSimulator([
      '--server', server.url, '--devices', '5', '--seed', 'test', '--poll', '1', '--for', '2',
    ]); // prettier-ignore
    const { code, text } = await simulator.end();
    assert.equal(code, 0, text);
    assert.match(text, /^let in +5$/m);
    assert.equal((await server.call(listDevices, { query: { per_page: 500 } })).body.length, before);
  });

  it('says what is wrong with what it is told, and asks no server', async () => {
    const profile = join(directory, 'bad.json');
    await writeFile(profile, '{"kinds":[{"name":"a","installFails":2}]}');
    const told = [
      [[], /--server: give the URL/, 2],
      [['--server', 'ftp://x'], /--server: give the URL/, 2],
      [['--server', server.url, '--devices', 'many'], /--devices: give a whole number from 1 to 100000/, 2],
      [['--server', server.url, '--profile', profile], /the profile is not understood: .*installFails/, 1],
      [['--nonsense'], /Unknown option '--nonsense'/, 2],
      [['--help'], /Usage: tandem-simulator --server URL/, 0],
    ] as const;
    await Promise.all(
      told.map(async ([args, expected, code]) => {
        const ended = await startSimulator(args).end();
        assert.equal(ended.code, code, ended.text);
        assert.match(ended.text, expected);
      }),
    );
  });
});
