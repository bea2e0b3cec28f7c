import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { artifactForm, packArtifact, upload } from '../deployments/test-data/test-artifact.ts';
import { startTestServer, type TestServer } from '../deployments/test-data/test-server.ts';

const next = '/api/devices/v1/deployments/device/deployments/next?artifact_name=old&device_type=test';
const artifacts = '/api/management/v1/deployments/artifacts';

async function linkOf(server: TestServer, id: string): Promise<string> {
  const answer = await server.request('GET', `${artifacts}/${id}/download`, { as: 'user' });
  return (answer.json as { uri: string }).uri;
}

test('a link gives the whole artifact, any part of it, and its size alone', async () => {
  await using server = await startTestServer({ serveDownloads: true });
  const bytes = await packArtifact({ name: 'r', content: randomBytes(700_000) });
  const { headers } = await server.request('POST', artifacts, { as: 'user', body: artifactForm(bytes) });
  const link = await linkOf(server, headers.get('location')?.split('/').at(-1) ?? '');

  const whole = await server.request('GET', link);
  assert.equal(whole.status, 200);
  assert.deepEqual(whole.bytes, bytes);
  assert.equal(whole.headers.get('content-length'), String(bytes.length));
  assert.equal(whole.headers.get('accept-ranges'), 'bytes');
  const etag = whole.headers.get('etag') ?? '';
  assert.match(etag, /^"[^"]+"$/);

  for (const range of [`bytes=1000-`, `bytes=1000-${bytes.length - 1}`]) {
    const rest = await server.request('GET', link, { headers: { range } });
    assert.equal(rest.status, 206);
    assert.equal(rest.headers.get('content-range'), `bytes 1000-${bytes.length - 1}/${bytes.length}`);
    assert.equal(rest.headers.get('content-length'), String(bytes.length - 1000));
    assert.deepEqual(rest.bytes, bytes.subarray(1000));
  }
  const same = await server.request('GET', link, { headers: { range: 'bytes=0-9', 'if-range': etag } });
  assert.equal(same.status, 206);
  assert.deepEqual(same.bytes, bytes.subarray(0, 10));
  const other = await server.request('GET', link, { headers: { range: 'bytes=0-9', 'if-range': '"other"' } });
  assert.equal(other.status, 200);
  assert.equal(other.bytes.length, bytes.length);

  const beyond = await server.request('GET', link, { headers: { range: `bytes=${bytes.length}-` } });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers.get('content-range'), `bytes */${bytes.length}`);

  const head = await server.request('HEAD', link);
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-length'), String(bytes.length));
  assert.equal(head.headers.get('etag'), etag);
  assert.equal(head.bytes.length, 0);
  const headOfPart = await server.request('HEAD', link, { headers: { range: 'bytes=5-9' } });
  assert.equal(headOfPart.status, 206);
  assert.equal(headOfPart.headers.get('content-length'), '5');
});

test('a link that was altered, has expired, or names a deleted artifact opens nothing', async () => {
  await using server = await startTestServer({ serveDownloads: true });
  const [id, other] = [await upload(server, { name: 'r' }), await upload(server, { name: 's' })];
  const link = await linkOf(server, id);
  const status = async (uri: string) => (await server.request('GET', uri)).status;

  assert.equal(await status(link), 200);
  assert.equal(await status(link.replace(id, other)), 403);
  assert.equal(
    await status(link.replace(/expire=(\d+)/, (_, at: string) => `expire=${Number(at) + 1}`)),
    403,
  );
  assert.equal(
    await status(link.replace(/signature=./, (all) => (all.endsWith('A') ? 'signature=B' : 'signature=A'))),
    403,
  );
  assert.equal(await status(link.replace(/signature=.*/, 'signature=')), 403);
  assert.equal(await status(`${link}&device=d1`), 403);
  assert.equal(await status(link.replace(/\?.*/, '')), 400);
  assert.equal(await status(link.replace('000000000000000000000001', '000000000000000000000002')), 403);

  server.time.offsetMs = 901_000;
  const expired = await server.request('GET', link);
  assert.equal(expired.status, 403);
  assert.equal((expired.json as { error: string }).error, 'URL expired');
  server.time.offsetMs = 0;
  assert.equal((await server.request('DELETE', `${artifacts}/${id}`, { as: 'user' })).status, 204);
  assert.equal(await status(link), 404);
  assert.equal(
    server.log.some((line) => line.includes('signature=')),
    false,
  );
});

test('whatever an artifact is called, it can be downloaded', async () => {
  await using server = await startTestServer({ serveDownloads: true });
  for (const name of ['größe "1"', '日本', 'a;b\\c', 'emoji 😀']) {
    const answer = await server.request('GET', await linkOf(server, await upload(server, { name })));
    assert.equal(answer.status, 200, name);
    const encoded = /filename\*=UTF-8''(\S+)$/.exec(answer.headers.get('content-disposition') ?? '')?.[1];
    assert.equal(decodeURIComponent(encoded ?? ''), `${name}.mender`);
  }
});

test('devices that go away in the middle of a download leave no file open', async () => {
  await using server = await startTestServer({ serveDownloads: true });
  const link = await linkOf(server, await upload(server, { name: 'r', content: randomBytes(8_000_000) }));
  const openFiles = async () => (await readdir('/proc/self/fd')).length;
  await (await fetch(link)).arrayBuffer();
  const before = await openFiles();
  for (let device = 0; device < 10; device += 1) {
    const [response] = (await once(get(link, { agent: false }), 'response')) as [IncomingMessage];
    await once(response, 'data');
    response.destroy();
  }
  for (let tries = 0; (await openFiles()) > before && tries < 100; tries += 1) await delay(20);
  assert.ok((await openFiles()) <= before);
});

interface Running {
  readonly process: ChildProcess;
  readonly url: string;
}

async function startProcess(dataDirectory: string, port: number): Promise<Running> {
  const script = new URL('../deployments/test-data/run-test-server.ts', import.meta.url);
  const child = spawn(process.execPath, [script.pathname, dataDirectory, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { process: child, url };
}

async function kill({ process: child }: Running): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('a server is killed while a device downloads: after its restart the same link goes on, and the deployment ends', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'tandem-killed-'));
  const bytes = await packArtifact({ name: 'new', content: randomBytes(30_000_000) });
  const user = { authorization: 'Bearer user' };
  const device = { authorization: 'Bearer device:d1' };
  const put = (url: string, status: string) =>
    fetch(url, {
      method: 'PUT',
      headers: { ...device, 'content-type': 'application/json' },
      body: JSON.stringify({ status }),
    });
  let server = await startProcess(dataDirectory, 0);
  try {
    const { port } = new URL(server.url);
    const stored = await fetch(`${server.url}${artifacts}`, {
      method: 'POST',
      headers: user,
      body: artifactForm(bytes),
    });
    assert.equal(stored.status, 201);
    const made = await fetch(`${server.url}/api/management/v1/deployments/deployments`, {
      method: 'POST',
      headers: { ...user, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'n', artifact_name: 'new', devices: ['d1'] }),
    });
    const deployment = `${server.url}${made.headers.get('location')}`;
    const offer = (await (await fetch(`${server.url}${next}`, { headers: device })).json()) as {
      id: string;
      artifact: { source: { uri: string } };
    };
    const report = `${server.url}/api/devices/v1/deployments/device/deployments/${offer.id}/status`;
    assert.equal((await put(report, 'downloading')).status, 204);

    const received: Buffer[] = [];
    const [response] = (await once(get(offer.artifact.source.uri, { agent: false }), 'response')) as [
      IncomingMessage,
    ];
    await assert.rejects(async () => {
      for await (const chunk of response) {
        received.push(chunk as Buffer);
        if (received.length === 20) await kill(server);
      }
    });
    const begun = Buffer.concat(received);
    assert.ok(begun.length > 0 && begun.length < bytes.length);

    server = await startProcess(dataDirectory, Number(port));
    const rest = await fetch(offer.artifact.source.uri, { headers: { range: `bytes=${begun.length}-` } });
    assert.equal(rest.status, 206);
    assert.equal(
      rest.headers.get('content-range'),
      `bytes ${begun.length}-${bytes.length - 1}/${bytes.length}`,
    );
    assert.deepEqual(Buffer.concat([begun, Buffer.from(await rest.arrayBuffer())]), bytes);
    for (const status of ['installing', 'rebooting', 'installing', 'success']) {
      assert.equal((await put(report, status)).status, 204);
    }
    const ended = (await (await fetch(deployment, { headers: user })).json()) as {
      status: string;
      statistics: { status: { success: number } };
    };
    assert.equal(ended.status, 'finished');
    assert.equal(ended.statistics.status.success, 1);
  } finally {
    if (server.process.exitCode === null && server.process.signalCode === null) await kill(server);
    await rm(dataDirectory, { recursive: true, force: true });
  }
});
