import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import recorded from './testing/recorded-requests.json' with { type: 'json' };
import { administrator, findDevice, startWholeServer, type WholeServer } from './testing/whole-server.ts';

/** What real clients sent, byte for byte over a real socket, headers in their case and bodies in chunks where they were. */
describe('recorded requests of real clients', () => {
  let server: WholeServer;
  let port: number;
  before(async () => {
    server = await startWholeServer();
    await server.server.listen({ host: '127.0.0.1', port: 0 });
    // A TCP server has an address once it listens.
    ({ port } = server.server.http.server.address() as AddressInfo);
  });
  after(() => server[Symbol.asyncDispose]());

  interface Recorded {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
  }

  const replay = ({ method, path, headers, body }: Recorded, authorization?: string) =>
    new Promise<{ status: number | undefined; type: string | undefined; text: string }>((resolve, reject) => {
      const sent = { ...headers, ...(authorization === undefined ? {} : { Authorization: authorization }) };
      const outgoing = request({ host: '127.0.0.1', port, method, path, headers: sent }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode,
            type: response.headers['content-type'],
            text: Buffer.concat(chunks).toString(),
          }),
        );
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  it('mender 3.4 is known by its own signature, pending, and let in once accepted', async () => {
    assert.equal((await replay(recorded.authentication)).status, 401);
    const { id, auth_sets: sets } = await findDevice(server, '{"mac":"de:ad:be:ef:00:01"}');
    const path = `/api/management/v2/devauth/devices/${id}/auth/${sets[0]?.id}/status`;
    await server.request('PUT', path, { token: server.token, body: { status: 'accepted' } });
    const { status, type, text } = await replay(recorded.authentication);
    assert.deepEqual([status, type], [200, 'application/jwt']);
    assert.match(text, /^[\w-]+\.[\w-]+\.[\w-]+$/);

    const inventory = await replay(recorded.inventory, `Bearer ${text}`);
    assert.deepEqual([inventory.status, inventory.text], [200, '']);
    const { json } = await server.request('GET', `/api/management/v1/inventory/devices/${id}`, {
      token: server.token,
    });
    const { attributes } = json as { attributes: { name: string; value: unknown }[] };
    assert.deepEqual(attributes.find(({ name }) => name === 'tag')?.value, ['a', 'b']);
    assert.equal(attributes.find(({ name }) => name === 'artifact_name')?.value, 'release-1');
  });

  it('mender-cli logs in with an empty body and lists devices', async () => {
    const credentials = Buffer.from(`${administrator.email}:${administrator.password}`).toString('base64');
    const login = await replay(recorded.login, `Basic ${credentials}`);
    assert.deepEqual([login.status, login.type], [200, 'application/jwt']);
    const list = await replay(recorded.listDevices, `Bearer ${login.text}`);
    assert.equal(list.status, 200);
    assert.ok(Array.isArray(JSON.parse(list.text)));
  });
});
