import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { nodeDecompressors, readArtifact } from '@tandem/artifact';
import { defaultTenant } from '../actor.ts';
import { startTestServer, type TestServer } from '../deployments/test-data/test-server.ts';
import { startWholeServer } from '../testing/whole-server.ts';

const artifacts = '/api/management/v1/deployments/artifacts';
const generate = `${artifacts}/generate`;

const wanted = {
  name: 'motd-1',
  description: 'message of the day',
  type: 'single-file',
  device_types_compatible: 'qemu, raspberry',
  args: JSON.stringify({ filename: 'motd', dest_dir: '/etc' }),
};

function formOf(fields: Readonly<Record<string, string>>, content: string | undefined = 'hello'): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  if (content !== undefined) form.append('file', new Blob([content]), 'anything');
  return form;
}

const without = (field: keyof typeof wanted): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(wanted).filter(([name]) => name !== field));

describe('generating an artifact of a file', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server[Symbol.asyncDispose]());

  const ask = (form: FormData) => server.request('POST', generate, { as: 'user', body: form });
  const idOf = (answer: { headers: Headers }) => answer.headers.get('location')?.split('/').at(-1) ?? '';

  it('makes what the update module single-file takes, under the id that was promised', async () => {
    const asked = await ask(formOf(wanted));
    assert.equal(asked.status, 201, asked.bytes.toString());
    assert.match(
      asked.headers.get('location') ?? '',
      /^\/api\/management\/v1\/deployments\/artifacts\/generate\//,
    );
    const id = idOf(asked);
    assert.equal((await server.request('GET', `${artifacts}/${id}`, { as: 'user' })).status, 404, 'not yet');

    await server.generateArtifacts();
    const image = (await server.request('GET', `${artifacts}/${id}`, { as: 'user' })).json as {
      name: string;
      description: string;
      device_types_compatible: string[];
      artifact_provides: Record<string, string>;
      updates: { files: { date: string }[] }[];
    };
    assert.deepEqual(
      [image.name, image.description, image.device_types_compatible],
      ['motd-1', 'message of the day', ['qemu', 'raspberry']],
    );
    const age = (date: string) => Date.now() - Date.parse(date);
    assert.ok(image.updates[0]?.files.every(({ date }) => age(date) < 60_000));
    assert.equal(image.artifact_provides['rootfs-image.single-file.version'], 'motd-1');

    const link = (await server.request('GET', `${artifacts}/${id}/download`, { as: 'user' })).json as {
      uri: string;
    };
    const { bytes } = await server.request('GET', link.uri);
    const read = await readArtifact(
      (async function* () {
        yield bytes;
      })(),
      { decompressors: nodeDecompressors },
    );
    assert.equal(read.payloads[0]?.type, 'single-file');
    const files: Record<string, string> = {};
    for await (const file of read.files()) {
      const pieces: Uint8Array[] = [];
      for await (const piece of file.content) pieces.push(Uint8Array.from(piece));
      files[file.name] = Buffer.concat(pieces).toString();
    }
    assert.deepEqual(files, { dest_dir: '/etc\n', filename: 'motd\n', permissions: '644\n', motd: 'hello' });
    assert.equal((await server.storedFiles()).length, 1, 'the raw file is gone');
  });

  it('refuses a name with device types that is there, or is being made', async () => {
    const fields = { ...wanted, name: 'twice' };
    const first = idOf(await ask(formOf(fields)));
    assert.equal((await ask(formOf({ ...fields, device_types_compatible: 'raspberry' }))).status, 422);
    await server.generateArtifacts();
    const again = await ask(formOf(fields));
    assert.equal(again.status, 422);
    assert.equal((again.json as { error: string }).error, 'Artifact not unique');
    assert.equal((await ask(formOf({ ...fields, device_types_compatible: 'other' }))).status, 201);
    await server.generateArtifacts();
    assert.equal((await server.request('GET', `${artifacts}/${first}`, { as: 'user' })).status, 200);
  });

  const bad: readonly [string, Readonly<Record<string, string>>, (string | undefined)?][] = [
    ['no file', wanted, undefined],
    ['no name', without('name')],
    ['no type', without('type')],
    ['another type', { ...wanted, type: 'directory' }],
    ['no arguments', without('args')],
    ['arguments that are no JSON', { ...wanted, args: '{' }],
    ['no device type', { ...wanted, device_types_compatible: 'a,,b' }],
    ['a path for a name', { ...wanted, args: JSON.stringify({ filename: '../x', dest_dir: '/etc' }) }],
    [
      'the name of a file of the module',
      { ...wanted, args: JSON.stringify({ filename: 'dest_dir', dest_dir: '/' }) },
    ],
    [
      'a directory that is not absolute',
      { ...wanted, args: JSON.stringify({ filename: 'x', dest_dir: 'etc' }) },
    ],
    ['a directory of two lines', { ...wanted, args: JSON.stringify({ filename: 'x', dest_dir: '/a\n/b' }) }],
    ['another size than announced', { ...wanted, name: 'size', size: '4' }],
  ];
  for (const [what, fields, ...content] of bad) {
    it(`refuses ${what}, and keeps nothing`, async () => {
      const stored = (await server.storedFiles()).length;
      const form = content.length === 0 ? formOf(fields) : new FormData();
      if (content.length > 0) for (const [name, value] of Object.entries(fields)) form.append(name, value);
      const answer = await ask(form);
      assert.equal(answer.status, 400, answer.bytes.toString());
      assert.equal((await server.storedFiles()).length, stored);
    });
  }

  it('goes on where it was when the server stopped', async () => {
    const first = await startTestServer();
    const asked = await first.request('POST', generate, { as: 'user', body: formOf(wanted) });
    await first.stop();
    const second = await startTestServer({ dataDirectory: first.dataDirectory });
    try {
      await second.generateArtifacts();
      const found = await second.request('GET', `${artifacts}/${idOf(asked)}`, { as: 'user' });
      assert.equal(found.status, 200);
      // Again there is nothing to do.
      await second.generateArtifacts();
      assert.equal((await second.storedFiles()).length, 1);
    } finally {
      await second.stop();
      await rm(first.dataDirectory, { recursive: true, force: true });
    }
  });

  it('gives up what can never be made, and says so in the log', async () => {
    const asked = await ask(formOf({ ...wanted, name: 'lost' }));
    assert.ok((await server.storedFiles()).some((path) => path.includes(`raw-${idOf(asked)}`)));
    await server.storage.delete({ tenant: defaultTenant, id: `raw-${idOf(asked)}` });
    await server.generateArtifacts();
    await server.generateArtifacts();
    const changes = await server.database.read
      .selectFrom('change_log')
      .where('ref', '=', idOf(asked))
      .select('kind')
      .execute();
    assert.deepEqual(
      changes.map(({ kind }) => kind),
      ['artifact.requested', 'artifact.not-generated'],
    );
  });

  it('is refused where only signed artifacts are taken', async () => {
    await using strict = await startTestServer({ requireSignature: true });
    const answer = await strict.request('POST', generate, { as: 'user', body: formOf(wanted) });
    assert.equal(answer.status, 422);
  });

  it('needs nobody to wait for it: the server makes it by itself', async () => {
    await using whole = await startWholeServer();
    const sent = new Response(formOf(wanted));
    const asked = await whole.request('POST', generate, {
      token: whole.token,
      body: new Uint8Array(await sent.arrayBuffer()),
      headers: { 'content-type': sent.headers.get('content-type') ?? '' },
    });
    assert.equal(asked.status, 201);
    const path = `${artifacts}/${String(asked.headers['location']).split('/').at(-1)}`;
    for (
      let left = 100;
      (await whole.request('GET', path, { token: whole.token })).status !== 200;
      left -= 1
    ) {
      assert.ok(left > 0, 'no artifact after ten seconds');
      await wait(100);
    }
  });
});
