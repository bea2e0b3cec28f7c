import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { packArtifact, artifactForm, upload } from '../deployments/test-data/test-artifact.ts';
import { startTestServer, type TestServer } from '../deployments/test-data/test-server.ts';
import { startSwiftForTests } from '../testing/start-swift.ts';

const artifacts = '/api/management/v1/deployments/artifacts';
const deployments = '/api/management/v1/deployments/deployments';
const next = '/api/devices/v1/deployments/device/deployments/next?artifact_name=old&device_type=test';

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

interface Link {
  readonly uri: string;
  readonly expire: string;
}

const linkOf = async (id: string): Promise<Link> =>
  (await server.request('GET', `${artifacts}/${id}/download`, { as: 'user' })).json as Link;
const status = async (uri: string, init: RequestInit = {}): Promise<number> =>
  (await fetch(uri, init)).status;

describe('a device downloads from the bucket', () => {
  it('by the link it is offered, from where it was cut off, without a token', async () => {
    const bytes = await packArtifact({ name: 'größe "1"', content: randomBytes(40_000_000) });
    const stored = await server.request('POST', artifacts, { as: 'user', body: artifactForm(bytes) });
    assert.equal(stored.status, 201);
    server.known.accepted = ['d1'];
    const made = await server.request('POST', deployments, {
      as: 'user',
      json: { name: 'n', artifact_name: 'größe "1"', devices: ['d1'] },
    });
    assert.equal(made.status, 201);
    const offer = (await server.request('GET', next, { as: 'device:d1' })).json as {
      artifact: { source: Link };
    };
    const { uri, expire } = offer.artifact.source;
    assert.ok(!uri.startsWith(server.url), 'not through the server');
    assert.ok(Math.abs(Date.parse(expire) - Date.now() - 86_400_000) < 60_000, 'good for a day');

    const whole = await fetch(uri);
    assert.equal(whole.status, 200);
    assert.equal(whole.headers.get('content-length'), String(bytes.length));
    assert.equal(whole.headers.get('content-type'), 'application/vnd.mender-artifact');
    const encoded = /filename\*=UTF-8''(\S+)$/.exec(whole.headers.get('content-disposition') ?? '')?.[1];
    assert.equal(decodeURIComponent(encoded ?? ''), 'größe "1".mender');
    const reader = whole.body?.getReader();
    const begun = Buffer.from((await reader?.read())?.value ?? []);
    await reader?.cancel();
    assert.ok(begun.length > 0 && begun.length < bytes.length);

    const rest = await fetch(uri, { headers: { range: `bytes=${begun.length}-${bytes.length - 1}` } });
    assert.equal(rest.status, 206);
    assert.equal(
      rest.headers.get('content-range'),
      `bytes ${begun.length}-${bytes.length - 1}/${bytes.length}`,
    );
    assert.ok(Buffer.concat([begun, Buffer.from(await rest.arrayBuffer())]).equals(bytes));
    assert.equal(await status(uri, { headers: { range: `bytes=${bytes.length}-` } }), 416);
  });

  it('not by a link that was altered in anything', async () => {
    const [id, other] = [await upload(server, { name: 'r' }), await upload(server, { name: 's' })];
    const { uri } = await linkOf(id);
    assert.equal(await status(uri), 200);
    const altered = {
      'another artifact': uri.replace(id, other),
      'a longer time': uri.replace(
        /X-Amz-Expires=(\d+)/,
        (_, seconds: string) => `X-Amz-Expires=${Number(seconds) + 1}`,
      ),
      'another signature': uri.replace(
        /X-Amz-Signature=(.)/,
        (_, first: string) => `X-Amz-Signature=${first === '0' ? '1' : '0'}`,
      ),
      'another file name': uri.replace('r.mender', 's.mender'),
      'another tenant': uri.replace('/000000000000000000000001/', '/000000000000000000000002/'),
    };
    for (const [what, link] of Object.entries(altered)) {
      assert.notEqual(link, uri, what);
      assert.equal(await status(link), 403, what);
    }
    assert.ok((await status(uri.replace(/\?.*/, ''))) >= 400, 'no signature');
    assert.equal(await status(uri, { method: 'PUT', body: 'mine' }), 403, 'it is for reading alone');
    assert.equal(await status(uri, { method: 'DELETE' }), 403);
    assert.equal(await status(uri), 200);
  });

  it('not by a link that has expired, nor of an artifact that is deleted', async () => {
    const id = await upload(server, { name: 'short' });
    server.time.offsetMs = -901_000;
    const expired = await linkOf(id);
    server.time.offsetMs = 0;
    assert.ok(Date.parse(expired.expire) < Date.now());
    assert.equal(await status(expired.uri), 403);
    const { uri } = await linkOf(id);
    assert.equal(await status(uri), 200);
    assert.equal((await server.request('DELETE', `${artifacts}/${id}`, { as: 'user' })).status, 204);
    assert.equal(await status(uri), 404);
  });

  it('through the server, where it is told to serve', async () => {
    await using serving = await startTestServer({
      dataDirectory: server.dataDirectory,
      serveDownloads: true,
    });
    const id = await upload(serving, { name: 'served' });
    const { uri } = (await serving.request('GET', `${artifacts}/${id}/download`, { as: 'user' }))
      .json as Link;
    assert.ok(uri.startsWith(serving.url));
    assert.equal(await status(uri), 200);
  });

  it('and neither the log nor an error shows a link or a key', () => {
    const printed = server.log.join('\n');
    assert.doesNotMatch(printed, /X-Amz|Signature|testing/);
  });
});
