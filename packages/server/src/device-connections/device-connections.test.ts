import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { acceptedDevice, startWholeServer, type WholeServer } from '../testing/whole-server.ts';

describe('a server that no device is connected to', () => {
  let server: WholeServer;
  let device: Awaited<ReturnType<typeof acceptedDevice>>;
  let base: string;
  before(async () => {
    server = await startWholeServer();
    device = await acceptedDevice(server, { sn: '1' });
    base = `/api/management/v1/deviceconnect/devices/${device.id}`;
  });
  after(() => server[Symbol.asyncDispose]());

  it('says so, in the words clients know', async () => {
    const rows: readonly [string, string, number, string][] = [
      ['GET', base, 404, 'device not found'],
      ['GET', `${base}/connect`, 404, 'failed to connect to device: device disconnected'],
      ['POST', `${base}/check-update`, 404, 'device not connected'],
      ['POST', `${base}/send-inventory`, 404, 'device not connected'],
      ['GET', `${base}/download?path=/etc/motd`, 409, 'device disconnected'],
      ['GET', `${base}/download?path=etc/motd`, 400, 'path: must be absolute.'],
      ['GET', '/api/management/v1/deviceconnect/sessions/1/playback', 404, 'session not found'],
    ];
    for (const [method, path, status, error] of rows) {
      const answer = await server.request(method, path, { token: server.token });
      assert.deepEqual([answer.status, (answer.json as { error: string }).error], [status, error], path);
    }
    const upload = { token: server.token, headers: { 'content-type': 'multipart/form-data; boundary=x' } };
    assert.equal((await server.request('PUT', `${base}/upload`, { ...upload, body: '--x--' })).status, 409);
  });

  for (const [who, path] of [
    ['device', () => '/api/devices/v1/deviceconnect/connect'],
    ['user', () => `${base}/connect`],
  ] as const) {
    it(`refuses the ${who}'s WebSocket before the upgrade`, async () => {
      const url = new URL(path(), await listening(server));
      const token = who === 'device' ? device.token : server.token;
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const headers = {
          authorization: `Bearer ${token}`,
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-version': '13',
        };
        const asked = request(url, { headers, agent: false });
        asked.on('response', (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        asked.on('upgrade', () => reject(new Error('upgraded')));
        asked.on('error', reject);
        asked.end();
      });
      assert.equal(status, 404);
    });
  }
});

describe('integrations', () => {
  it('are none', async () => {
    await using server = await startWholeServer();
    const get = (path: string) =>
      server.request('GET', `/api/management/v1/iot-manager/${path}`, { token: server.token });
    assert.equal((await get('integrations')).text, '[]');
    assert.equal((await get('events?page=2&per_page=1')).text, '[]');
    assert.equal((await get('integrations?page=0')).status, 400);
    assert.equal((await get('integrations/some')).status, 400);
    assert.equal((await get('integrations/0b0f8a1e-6f0c-4f0e-9a53-4f3c51b8e0aa')).status, 404);
  });
});

let address: Promise<string> | undefined;
const listening = ({ server }: WholeServer): Promise<string> =>
  (address ??= server.listen({ host: '127.0.0.1', port: 0 }));
