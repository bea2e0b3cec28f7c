import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { artifactForm, packArtifact } from './deployments/test-data/test-artifact.ts';
import { startServerProcess, type ServerProcess } from './testing/server-process.ts';
import { authRequest, authRequestsPath, ed25519Device } from './testing/whole-server.ts';

/*
 * A real server on a real file system that is really full: a small one of its own, mounted where nobody else sees it, in a
 * namespace that needs no root.
 */

const diskMebibytes = 64;
const main = fileURLToPath(new URL('main.ts', import.meta.url));
const management = '/api/management/v1';
const user = { email: 'admin@example.com', password: 'correct horse battery' };

let directory: string;
let server: ServerProcess;
let asUser: Readonly<Record<string, string>>;
let asDevice: Readonly<Record<string, string>>;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-full-'));
  const mount = `mount -t tmpfs -o size=${diskMebibytes}m tmpfs '${directory}' && exec "$0" "$@"`;
  server = await startServerProcess(
    join(directory, 'data'),
    ['--http'],
    ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount, process.execPath, main],
  );
  const token = /^ {2}(\S{20,})$/m.exec(server.output())?.[1];
  assert.ok(token, server.output());
  await call('POST', '/api/tandem/v1/first-administrator', {}, JSON.stringify({ token, ...user }));
  const basic = Buffer.from(`${user.email}:${user.password}`).toString('base64');
  const login = await call('POST', `${management}/useradm/auth/login`, { authorization: `Basic ${basic}` });
  asUser = { authorization: `Bearer ${login.text}` };
  asDevice = { authorization: `Bearer ${await tokenOfDevice()}` };
});
after(async () => {
  await server.end('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

async function call(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string | FormData,
) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function tokenOfDevice(): Promise<string> {
  const { body, headers } = authRequest(ed25519Device({ mac: 'full' }));
  const ask = () => call('POST', authRequestsPath, headers, String(body));
  await ask();
  const { text } = await call('GET', '/api/management/v2/devauth/devices', asUser);
  const [device] = JSON.parse(text) as { id: string; auth_sets: { id: string }[] }[];
  const status = `/api/management/v2/devauth/devices/${device?.id}/auth/${device?.auth_sets[0]?.id}/status`;
  await call('PUT', status, asUser, JSON.stringify({ status: 'accepted' }));
  const answer = await ask();
  assert.equal(answer.status, 200, answer.text);
  return answer.text;
}

/** The disk as the server has it. */
const onDisk = (...path: string[]) => join(`/proc/${server.process.pid}/root`, directory, ...path);

async function fillDisk(): Promise<void> {
  const file = await open(onDisk('filling'), 'w');
  try {
    for (const size of [1024 ** 2, 4096]) {
      const piece = Buffer.alloc(size, 1);
      try {
        for (;;) await file.write(piece);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
      }
    }
  } finally {
    await file.close();
  }
}

function assertNoSpace(answer: Awaited<ReturnType<typeof call>>): void {
  assert.equal(answer.status, 507, answer.text);
  const { error, request_id: requestId, ...more } = JSON.parse(answer.text) as Record<string, string>;
  assert.match(error ?? '', /^the server has no space left/);
  assert.equal(requestId, answer.headers.get('x-men-requestid'));
  assert.deepEqual(more, {});
}

/** Until there is no space for it, which may be a while: SQLite writes where it wrote before. Returns how often there was. */
async function untilFull(request: (turn: number) => ReturnType<typeof call>): Promise<number> {
  for (let turn = 0; turn < 500; turn += 1) {
    const answer = await request(turn);
    if (answer.status < 300) continue;
    assertNoSpace(answer);
    return turn;
  }
  assert.fail('the disk was never full');
}

const upload = async (name: string, bytes: number) =>
  call(
    'POST',
    `${management}/deployments/artifacts`,
    asUser,
    artifactForm(await packArtifact({ name, content: randomBytes(bytes) })),
  );

const filesOf = async () =>
  (await readdir(onDisk('data', 'artifacts'), { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  ).length;

describe('on a full disk', () => {
  it('an upload that does not fit is refused in a word, and leaves nothing', async () => {
    assert.equal((await upload('fits', 1_000_000)).status, 201);
    assertNoSpace(await upload('too-large', diskMebibytes * 1024 ** 2));
    assert.equal(await filesOf(), 1);
    const { text } = await call('GET', `${management}/deployments/artifacts`, asUser);
    assert.deepEqual(
      (JSON.parse(text) as { name: string }[]).map(({ name }) => name),
      ['fits'],
    );
    assert.equal((await upload('fits-too', 1_000_000)).status, 201, 'the space is free again');
  });

  it('what cannot be noted is refused, what was acknowledged counts, and what only reads goes on; later all is well', async () => {
    const deployments = `${management}/deployments/deployments`;
    const made = await call(
      'POST',
      deployments,
      asUser,
      JSON.stringify({ name: 'n', artifact_name: 'fits', all_devices: true }),
    );
    assert.equal(made.status, 201, made.text);
    const next = '/api/devices/v1/deployments/device/deployments/next?artifact_name=old&device_type=test';
    const offer = JSON.parse((await call('GET', next, asDevice)).text) as { id: string };
    const report = `/api/devices/v1/deployments/device/deployments/${offer.id}`;
    assert.equal(
      (await call('PUT', `${report}/status`, asDevice, JSON.stringify({ status: 'failure' }))).status,
      204,
    );

    const inventory = (turn: number) =>
      call(
        'PATCH',
        '/api/devices/v1/inventory/device/attributes',
        asDevice,
        JSON.stringify([
          { name: 'turn', value: String(turn) },
          ...Array.from({ length: 90 }, (_, n) => ({
            name: `a${n}`,
            value: randomBytes(500).toString('hex'),
          })),
        ]),
      );
    const log = (turn: number) =>
      call(
        'PUT',
        `${report}/log`,
        asDevice,
        JSON.stringify({
          messages: [
            { timestamp: new Date().toISOString(), level: 'info', message: `turn ${turn}` },
            {
              timestamp: new Date().toISOString(),
              level: 'info',
              message: randomBytes(100_000).toString('hex'),
            },
          ],
        }),
      );
    assert.equal((await inventory(-1)).status, 200);
    assert.equal((await log(-1)).status, 204);

    await fillDisk();
    const inventories = await untilFull(inventory);
    const logs = await untilFull(log);
    assertNoSpace(await upload('none', 100_000));
    assert.equal(await filesOf(), 2);

    assert.equal((await call('GET', '/health')).status, 200);
    assert.equal((await call('GET', next, asDevice)).status, 204);
    const seen = await call('GET', `${management}/inventory/devices`, asUser);
    const [device] = JSON.parse(seen.text) as { attributes: { name: string; value: string }[] }[];
    const turn = device?.attributes.find(({ name }) => name === 'turn')?.value;
    assert.equal(turn, String(inventories - 1), 'the last that was acknowledged');
    const [deployment] = JSON.parse((await call('GET', deployments, asUser)).text) as { id: string }[];
    const [part] = JSON.parse(
      (await call('GET', `${deployments}/${deployment?.id}/devices`, asUser)).text,
    ) as { id: string }[];
    const kept = await call('GET', `${deployments}/${deployment?.id}/devices/${part?.id}/log`, asUser);
    assert.match(kept.text, new RegExp(`turn ${logs - 1}$`, 'm'));

    await rm(onDisk('filling'));
    assert.equal((await inventory(1000)).status, 200);
    assert.equal((await log(1000)).status, 204);
    assert.equal((await upload('none', 100_000)).status, 201);
    assert.equal(await server.end('SIGTERM'), 0, server.output());
  });
});
