import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { signerFromPrivateKey } from '@tandem/artifact';
import { artifactForm, packArtifact, upload } from '../deployments/test-data/test-artifact.ts';
import { startTestServer, type TestServer, type UploadBody } from '../deployments/test-data/test-server.ts';

const artifacts = '/api/management/v1/deployments/artifacts';

const post = (server: TestServer, body: UploadBody) =>
  server.request('POST', artifacts, { as: 'user', body });

const errorOf = (answer: { json: unknown }): string => String((answer.json as { error?: unknown }).error);

test('an artifact is stored, shown with what is in it, and can be downloaded again byte for byte', async () => {
  await using server = await startTestServer();
  const bytes = await packArtifact({
    name: 'release-1',
    deviceTypes: ['raspberrypi4', 'raspberrypi5'],
    provides: { 'rootfs-image.version': 'release-1' },
    depends: { 'rootfs-image.checksum': ['abc'] },
    metaData: { boot: { slot: 2 } },
    content: randomBytes(300_000),
    compression: 'gzip',
  });
  const form = artifactForm(bytes, { size: String(bytes.length), description: 'the first' });
  const answer = await post(server, form);

  assert.equal(answer.status, 201);
  assert.equal(answer.bytes.length, 0);
  const location = answer.headers.get('location') ?? '';
  assert.match(location, /^\/api\/management\/v1\/deployments\/artifacts\/[0-9a-f-]{36}$/);
  const shown = (await server.request('GET', location, { as: 'user' })).json as Record<string, unknown>;
  const { id, modified, updates, ...rest } = shown;
  assert.equal(location.endsWith(String(id)), true);
  assert.match(String(modified), /^\d{4}-.*Z$/);
  assert.deepEqual(rest, {
    name: 'release-1',
    description: 'the first',
    device_types_compatible: ['raspberrypi4', 'raspberrypi5'],
    info: { format: 'mender', version: 3 },
    signed: false,
    artifact_provides: { artifact_name: 'release-1', 'rootfs-image.version': 'release-1' },
    artifact_depends: { device_type: ['raspberrypi4', 'raspberrypi5'], 'rootfs-image.checksum': ['abc'] },
    size: bytes.length,
  });
  const [update = {}] = updates as Record<string, unknown>[];
  assert.deepEqual(update['metadata'], { boot: { slot: 2 } });
  assert.deepEqual(update['meta_data'], [{ Key: 'boot', Value: { slot: 2 } }]);
  const [file] = update['files'] as Record<string, unknown>[];
  assert.equal(file?.['name'], 'rootfs.ext4');
  assert.equal(file?.['size'], 300_000);

  const link = (await server.request('GET', `${location}/download`, { as: 'user' })).json as { uri: string };
  const download = await server.request('GET', link.uri);
  assert.equal(download.headers.get('content-type'), 'application/vnd.mender-artifact');
  assert.match(download.headers.get('content-disposition') ?? '', /filename="release-1\.mender"/);
  assert.deepEqual(download.bytes, bytes);
});

test('artifacts of every compression, and signed ones, are taken', async () => {
  await using server = await startTestServer();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  for (const compression of ['none', 'gzip', 'lzma', 'zstd'] as const) {
    const bytes = await packArtifact({
      name: `by-${compression}`,
      compression,
      signer: signerFromPrivateKey(pem),
    });
    assert.equal((await post(server, artifactForm(bytes))).status, 201, compression);
  }
  const all = (await server.request('GET', artifacts, { as: 'user' })).json as { signed: boolean }[];
  assert.deepEqual(
    all.map(({ signed }) => signed),
    [true, true, true, true],
  );
});

test('a server that wants signatures refuses an unsigned artifact', async () => {
  await using server = await startTestServer({ requireSignature: true });
  const answer = await post(server, artifactForm(await packArtifact({ name: 'bare' })));
  assert.equal(answer.status, 400);
  assert.match(errorOf(answer), /not signed/);
  assert.deepEqual(await server.storedFiles(), []);
});

const rows = async ({ database }: TestServer) =>
  (await database.read.selectFrom('artifacts').select('id').execute()).length;

test('a truncated or altered artifact is refused with one clear 400, and nothing of it is left', async () => {
  await using server = await startTestServer();
  const good = await packArtifact({ name: 'x', content: randomBytes(200_000) });
  const altered = (position: number) => {
    const bytes = Buffer.from(good);
    bytes[position] = (bytes[position] ?? 0) ^ 1;
    return bytes;
  };
  const cases: Record<string, [Buffer, RegExp]> = {
    truncated: [good.subarray(0, good.length - 50_000), /^reading artifact error: .*end/],
    'one bit of the payload altered': [altered(100_000), /^reading artifact error: .*(checksum|rootfs)/i],
    'the version altered': [altered(520), /^reading artifact error: version/],
    'something behind the end': [Buffer.concat([good, randomBytes(2048)]), /^reading artifact error/],
    'no artifact at all': [randomBytes(5000), /^reading artifact error/],
    empty: [Buffer.alloc(0), /^reading artifact error/],
  };
  for (const [name, [bytes, message]] of Object.entries(cases)) {
    const answer = await post(server, artifactForm(bytes));
    assert.equal(answer.status, 400, name);
    assert.match(errorOf(answer), message, name);
    assert.deepEqual(Object.keys(answer.json as object), ['error', 'request_id'], name);
    assert.deepEqual(await server.storedFiles(), [], name);
    assert.equal(await rows(server), 0, name);
  }
  assert.equal((await post(server, artifactForm(good))).status, 201);
});

test('whichever byte of an artifact is altered, the answer is an answer, and only what is whole is kept', async () => {
  await using server = await startTestServer();
  for (const compression of ['gzip', 'lzma', 'zstd'] as const) {
    const good = await packArtifact({ name: 'x', content: Buffer.alloc(3000, 'abc'), compression });
    for (let position = 3; position < good.length; position += 487) {
      const bytes = Buffer.from(good);
      bytes[position] = (bytes[position] ?? 0) ^ 0xff;
      const answer = await post(server, artifactForm(bytes));
      // 201 where nothing looks at the byte: padding of the archive.
      assert.ok([400, 201, 409].includes(answer.status), `${compression} byte ${position}: ${answer.status}`);
      if (answer.status === 400) assert.match(errorOf(answer), /^reading artifact error: /);
    }
  }
  assert.equal((await server.storedFiles()).length, await rows(server));
});

test('a refusal reaches a sender who is still sending', async () => {
  await using server = await startTestServer();
  const answer = await post(server, artifactForm(randomBytes(20_000_000)));
  assert.equal(answer.status, 400);
  assert.match(errorOf(answer), /reading artifact error/);
});

test('an upload that breaks off leaves nothing behind, neither in the storage nor in the database', async () => {
  await using server = await startTestServer();
  const bytes = await packArtifact({ name: 'broken', content: randomBytes(50_000_000) });
  const head = [
    '--b',
    'Content-Disposition: form-data; name="artifact"; filename="a.mender"',
    'Content-Type: application/octet-stream',
    '',
    '',
  ].join('\r\n');
  const upload = request(`${server.url}${artifacts}`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer user',
      'content-type': 'multipart/form-data; boundary=b',
      'content-length': String(bytes.length + 1000),
    },
  });
  upload.on('error', () => undefined);
  upload.write(head);
  upload.write(bytes.subarray(0, 45_000_000));
  await until(async () => (await server.storedFiles()).length === 1, 'the upload is being written');
  upload.destroy();
  await until(async () => (await server.storedFiles()).length === 0, 'what was written is gone');
  assert.equal(await rows(server), 0);
  assert.equal((await post(server, artifactForm(bytes))).status, 201);
});

test('an upload that breaks off at whichever byte leaves nothing behind', async () => {
  await using server = await startTestServer();
  const bytes = await packArtifact({ name: 'broken', content: randomBytes(40_000_000) });
  const form = Buffer.concat([
    Buffer.from('--b\r\nContent-Disposition: form-data; name="artifact"; filename="a"\r\n\r\n'),
    bytes,
    Buffer.from('\r\n--b--\r\n'),
  ]);
  for (let turn = 0; turn < 8; turn += 1) {
    const at = turn === 0 ? bytes.length : 1000 + Math.floor(Math.random() * (bytes.length - 1000));
    await brokenUpload(server, form, at);
    await until(() => server.puts.ended === turn + 1, `the upload of ${at} bytes has ended`);
    await until(async () => (await server.storedFiles()).length === 0, `nothing is left of ${at} bytes`);
  }
  assert.equal(await rows(server), 0);
  assert.equal((await post(server, artifactForm(bytes))).status, 201);
});

/** Sends so many bytes of a form, and hangs up. */
async function brokenUpload(server: TestServer, form: Buffer, bytes: number): Promise<void> {
  const upload = request(`${server.url}${artifacts}`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer user',
      'content-type': 'multipart/form-data; boundary=b',
      'content-length': String(form.length),
    },
  });
  upload.on('error', () => undefined);
  await new Promise<void>((resolve) => upload.write(form.subarray(0, bytes), () => resolve()));
  upload.destroy();
}

test('what a killed server stored and did not note is gone after its next start', async () => {
  const first = await startTestServer();
  await upload(first, { name: 'kept' });
  const kept = await first.storedFiles();
  async function* never(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('never noted');
  }
  await first.storage.put({ tenant: '000000000000000000000001', id: randomUUID() }, never());
  assert.equal((await first.storedFiles()).length, 2);
  await first.stop();

  await using second = await startTestServer({ dataDirectory: first.dataDirectory });
  assert.deepEqual(await second.storedFiles(), kept);
});

test('what was stored lately is left alone while the server runs: its upload may not have ended', async () => {
  await using server = await startTestServer();
  async function* underWay(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('under way');
  }
  await server.storage.put({ tenant: '000000000000000000000001', id: randomUUID() }, underWay());
  await server.removeLeftovers(60 * 60 * 1000);
  assert.equal((await server.storedFiles()).length, 1);
});

test('equal content is stored once', async () => {
  await using server = await startTestServer();
  const bytes = await packArtifact({ name: 'one', content: randomBytes(300_000) });
  const answers = await Promise.all([1, 2, 3].map(() => post(server, artifactForm(bytes))));
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 409, 409],
  );
  assert.equal((await post(server, artifactForm(bytes))).status, 409);
  assert.equal((await server.storedFiles()).length, 1);
});

test('of two uploads that chose the same id at once, one counts, with its own bytes', async () => {
  await using server = await startTestServer();
  const artifact_id = '0c13a0e6-6b63-475d-8260-ee42a590e8ff';
  const both = await Promise.all(
    ['one', 'two'].map((name) => packArtifact({ name, content: randomBytes(200_000) })),
  );
  const answers = await Promise.all(both.map((bytes) => post(server, artifactForm(bytes, { artifact_id }))));
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 422],
  );
  const link = (await server.request('GET', `${artifacts}/${artifact_id}/download`, { as: 'user' })).json as {
    uri: string;
  };
  const download = await server.request('GET', link.uri);
  assert.deepEqual(download.bytes, both[answers.findIndex(({ status }) => status === 201)]);
  assert.equal((await server.storedFiles()).length, 1);
});

test('a storage limit is kept to the byte, however the size is told', async () => {
  const bytes = await packArtifact({ name: 'first', content: randomBytes(100_000) });
  await using server = await startTestServer({ storageLimitBytes: bytes.length + 1000 });
  assert.equal((await post(server, artifactForm(bytes))).status, 201);
  const second = await packArtifact({ name: 'second' });
  for (const fields of [{}, { size: String(second.length) }]) {
    const answer = await post(server, artifactForm(second, fields));
    assert.equal(answer.status, 413);
    assert.match(errorOf(answer), /more than \d+ bytes together/);
  }
  assert.equal((await server.storedFiles()).length, 1);
  const limits = await server.request('GET', '/api/management/v1/deployments/limits/storage', { as: 'user' });
  assert.deepEqual(limits.json, { limit: bytes.length + 1000, usage: bytes.length });
});

test('size must be met exactly, and is looked at before all is received', async () => {
  await using server = await startTestServer();
  const bytes = await packArtifact({ name: 'sized' });
  for (const size of [bytes.length - 1, bytes.length + 1]) {
    const answer = await post(server, artifactForm(bytes, { size: String(size) }));
    assert.equal(answer.status, 400, String(size));
    assert.equal(errorOf(answer), 'unexpected EOF');
  }
  const tooLarge = await post(server, artifactForm(bytes, { size: String(11 * 1024 ** 3) }));
  assert.equal(tooLarge.status, 413);
  assert.equal(errorOf(tooLarge), 'Artifact file too large');
  assert.equal((await post(server, artifactForm(bytes, { size: 'many' }))).status, 400);
  assert.deepEqual(await server.storedFiles(), []);
});

test('the same name and depends cannot be stored twice, another depends can', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r', deviceTypes: ['a', 'b'] });
  const answer = await post(server, artifactForm(await packArtifact({ name: 'r', deviceTypes: ['b', 'c'] })));
  assert.equal(answer.status, 409);
  assert.equal(errorOf(answer), 'an artifact with the same name and depends already exists');
  const { metadata } = answer.json as { metadata: { conflict: { depends: unknown } } };
  assert.deepEqual(metadata.conflict.depends, { device_type: 'b' });
  assert.equal((await server.storedFiles()).length, 1);

  await upload(server, { name: 'r', deviceTypes: ['c'] });
  await upload(server, { name: 'r', deviceTypes: ['a'], depends: { 'rootfs-image.checksum': ['1'] } });
  const release = (
    await server.request('GET', '/api/management/v2/deployments/deployments/releases/r', { as: 'user' })
  ).json as { artifacts_count: number };
  assert.equal(release.artifacts_count, 3);
});

test('an artifact id may be chosen once', async () => {
  await using server = await startTestServer();
  const artifact_id = '0c13a0e6-6b63-475d-8260-ee42a590e8ff';
  const first = await post(server, artifactForm(await packArtifact({ name: 'one' }), { artifact_id }));
  assert.equal(first.headers.get('location'), `${artifacts}/${artifact_id}`);
  const second = await post(server, artifactForm(await packArtifact({ name: 'two' }), { artifact_id }));
  assert.equal(second.status, 422);
  assert.equal(errorOf(second), 'Artifact not unique');
  assert.equal((await server.storedFiles()).length, 1);
  const bad = await post(
    server,
    artifactForm(await packArtifact({ name: 'two' }), { artifact_id: '../../etc' }),
  );
  assert.equal(bad.status, 400);
});

test('names of parts count in any case, unknown parts and what follows the artifact are ignored', async () => {
  await using server = await startTestServer();
  const form = new FormData();
  form.append('colour', 'blue');
  form.append('Description', 'told');
  form.append('other', new Blob(['x']), 'other.bin');
  form.append('ARTIFACT', new Blob([Uint8Array.from(await packArtifact({ name: 'n' }))]), 'a.mender');
  form.append('description', 'too late');
  const answer = await post(server, form);
  assert.equal(answer.status, 201);
  const shown = (await server.request('GET', answer.headers.get('location') ?? '', { as: 'user' })).json;
  assert.equal((shown as { description: string }).description, 'told');
});

test('multipart/mixed is read as well', async () => {
  await using server = await startTestServer();
  const bytes = await packArtifact({ name: 'mixed' });
  const body = Buffer.concat([
    Buffer.from('--x\r\nContent-Disposition: form-data; name="artifact"\r\n\r\n'),
    bytes,
    Buffer.from('\r\n--x--\r\n'),
  ]);
  const answer = await server.request('POST', artifacts, {
    as: 'user',
    body,
    headers: { 'content-type': 'multipart/mixed; boundary=x' },
  });
  assert.equal(answer.status, 201, answer.bytes.toString());
});

test('a form without the artifact, or no form, is refused', async () => {
  await using server = await startTestServer();
  const form = new FormData();
  form.append('description', 'nothing follows');
  const empty = await post(server, form);
  assert.equal(empty.status, 400);
  assert.equal(errorOf(empty), 'request does not contain the artifact file');
  const noForm = await server.request('POST', artifacts, { as: 'user', json: {} });
  assert.equal(noForm.status, 400);
  const noBoundary = await server.request('POST', artifacts, {
    as: 'user',
    body: 'x',
    headers: { 'content-type': 'multipart/form-data' },
  });
  assert.equal(noBoundary.status, 400);
  assert.equal((await server.request('POST', artifacts, { body: form })).status, 401);
  assert.equal((await server.request('POST', artifacts, { as: 'device:d', body: form })).status, 401);
});

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await holds()) return;
    await delay(20);
  }
  assert.fail(`waited four seconds in vain until ${what}`);
}
