import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { artifactForm, packArtifact } from '../deployments/test-data/test-artifact.ts';
import { startTestServer, type TestServer } from '../deployments/test-data/test-server.ts';
import { everyStorage } from '../testing/every-storage.ts';
import { startSwiftForTests } from '../testing/start-swift.ts';

const artifacts = '/api/management/v1/deployments/artifacts';
const direct = `${artifacts}/directupload`;

interface UploadLink {
  readonly id: string;
  readonly uri: string;
  readonly expire: string;
  readonly method: string;
  readonly header: Readonly<Record<string, string>>;
}

let stopSwift: () => Promise<void>;
let server: TestServer;
before(async () => {
  stopSwift = await startSwiftForTests();
  server = await startTestServer();
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await stopSwift();
});

const ask = async (): Promise<UploadLink> => {
  const answer = await server.request('POST', direct, { as: 'user' });
  assert.equal(answer.status, 200);
  return answer.json as UploadLink;
};
const put = async ({ uri, header }: UploadLink, body: Uint8Array): Promise<number> =>
  (await fetch(uri, { method: 'PUT', headers: header, body: Uint8Array.from(body) })).status;
const complete = async (id: string, as = 'user'): Promise<number> =>
  (await server.request('POST', `${direct}/${id}/complete`, { as, json: {} })).status;
const get = (id: string) => server.request('GET', `${artifacts}/${id}`, { as: 'user' });

/** In the order in which they were noted. */
const changesOf = async (id: string): Promise<string[]> =>
  (
    await server.database.read
      .selectFrom('change_log')
      .where('ref', '=', id)
      .orderBy('sequence')
      .select('kind')
      .execute()
  ).map(({ kind }) => kind);

describe('uploading past the server into a bucket', () => {
  it('makes an artifact like any other, once the sender says that it is there', async () => {
    const bytes = await packArtifact({ name: 'direct', content: randomBytes(20_000_000) });
    const link = await ask();
    assert.equal(link.method, 'PUT');
    assert.ok(Date.parse(link.expire) - Date.now() > 3_500_000);
    assert.equal(await complete(link.id), 404, 'nothing is there yet');
    assert.equal(await put(link, bytes), 200);
    assert.equal((await get(link.id)).status, 404, 'nobody said so yet');
    assert.equal(await complete(link.id, 'user@000000000000000000000002'), 404, 'it is another tenant’s');
    assert.equal(await complete(link.id), 202);
    assert.equal(await complete(link.id), 404, 'it was said already');
    await server.takeInDirectUploads();

    const shown = await get(link.id);
    assert.equal(shown.status, 200, shown.bytes.toString());
    assert.deepEqual((shown.json as { name: string; size: number }).name, 'direct');
    const { uri } = (await server.request('GET', `${artifacts}/${link.id}/download`, { as: 'user' }))
      .json as {
      uri: string;
    };
    assert.deepEqual((await server.request('GET', uri)).bytes, bytes);
    assert.equal(
      (await server.storedFiles()).length,
      1,
      'what was uploaded is gone, what was made of it is there',
    );
    assert.deepEqual(await changesOf(link.id), ['artifact.requested', 'artifact.created']);
  });

  it('takes the bytes that it checked: who has the link cannot change them afterwards', async () => {
    const bytes = await packArtifact({ name: 'swapped', content: randomBytes(10_000) });
    const link = await ask();
    await put(link, bytes);
    assert.equal(await complete(link.id), 202);
    await server.takeInDirectUploads();
    assert.equal(await put(link, randomBytes(bytes.length)), 200, 'the link is good for an hour');
    const { uri } = (await server.request('GET', `${artifacts}/${link.id}/download`, { as: 'user' }))
      .json as {
      uri: string;
    };
    assert.deepEqual((await server.request('GET', uri)).bytes, bytes);
    await server.removeLeftovers(everyStorage.everythingIsOlderThanMs());
    assert.equal((await server.storedFiles()).filter((name) => name.includes('direct-')).length, 0);
  });

  it('refuses what is no artifact, or there already, says so in the log, and leaves nothing', async () => {
    const twice = await packArtifact({ name: 'twice' });
    const first = await server.request('POST', artifacts, { as: 'user', body: artifactForm(twice) });
    assert.equal(first.status, 201);
    const before = (await server.storedFiles()).length;
    for (const bytes of [randomBytes(5000), twice, Buffer.alloc(0)]) {
      const link = await ask();
      assert.equal(await put(link, bytes), 200);
      assert.equal(await complete(link.id), 202);
      await server.takeInDirectUploads();
      assert.equal((await get(link.id)).status, 404);
      assert.deepEqual(await changesOf(link.id), ['artifact.requested', 'artifact.not-taken-in']);
    }
    assert.equal((await server.storedFiles()).length, before);
  });

  it('is refused by the bucket with an altered or expired link', async () => {
    const [link, other] = [await ask(), await ask()];
    assert.equal(await put({ ...link, uri: link.uri.replace(link.id, other.id) }, Buffer.from('x')), 403);
    server.time.offsetMs = -3_601_000;
    const expired = await ask();
    server.time.offsetMs = 0;
    assert.equal(await put(expired, Buffer.from('x')), 403);
    for (const { id } of [link, other, expired]) {
      assert.ok(!(await server.storedFiles()).some((name) => name.includes(id)));
    }
  });

  it('is forgotten a day after the link, with what was uploaded', async () => {
    const link = await ask();
    assert.equal(await put(link, Buffer.from('never completed')), 200);
    server.time.offsetMs = 24 * 60 * 60 * 1000;
    await server.takeInDirectUploads();
    assert.ok((await server.storedFiles()).some((name) => name.includes(link.id)));
    server.time.offsetMs += 3_700_000;
    await server.takeInDirectUploads();
    assert.ok(!(await server.storedFiles()).some((name) => name.includes(link.id)));
    server.time.offsetMs = 0;
    assert.equal(await complete(link.id), 404);
  });
});
