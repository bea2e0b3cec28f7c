import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createApiClient, type ApiClient } from './api-client.ts';
import { ApiError } from './errors.ts';
import { getDevice, getDeviceLimit, listDevices, setAuthSetStatus } from './management/devices.ts';
import { login } from './management/users.ts';

describe('the typed client', () => {
  const seen: {
    method?: string | undefined;
    url?: string | undefined;
    headers: IncomingMessage['headers'];
    body: string;
  }[] = [];
  let answer: { status: number; type?: string; body?: string } = { status: 204 };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      });
      response.writeHead(answer.status, {
        'x-men-requestid': 'r-1',
        ...(answer.type ? { 'content-type': answer.type } : {}),
      });
      response.end(answer.body);
    });
  });
  let call: ApiClient;
  before(async () => {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    call = createApiClient({
      baseUrl: `http://127.0.0.1:${port}/`,
      token: () => 'T',
      fetch,
      timeoutMs: 5000,
    });
  });
  after(() => void server.close());

  it('writes path, query, body and token as the endpoint has them', async () => {
    answer = { status: 204 };
    await call(setAuthSetStatus, { params: { id: 'a/b', aid: 'ü' }, body: { status: 'accepted' } });
    const sent = seen.at(-1);
    assert.equal(
      `${sent?.method} ${sent?.url}`,
      'PUT /api/management/v2/devauth/devices/a%2Fb/auth/%C3%BC/status',
    );
    assert.equal(sent?.body, '{"status":"accepted"}');
    assert.equal(sent?.headers['content-type'], 'application/json');
    assert.equal(sent?.headers.authorization, 'Bearer T');

    answer = { status: 200, type: 'application/json', body: '[]' };
    const { body } = await call(listDevices, { query: { status: ['accepted', 'pending'], page: 2 } });
    assert.deepEqual(body, []);
    assert.equal(
      seen.at(-1)?.url,
      '/api/management/v2/devauth/devices?status=accepted&status=pending&page=2',
    );
  });

  it('gives text as text, and no token where none is asked for', async () => {
    answer = { status: 200, type: 'application/jwt', body: 'a.b.c' };
    const { body } = await call(login, { headers: { authorization: 'Basic x' } });
    assert.equal(body, 'a.b.c');
    assert.equal(seen.at(-1)?.headers.authorization, 'Basic x');
  });

  it("throws the server's own words when it refuses", async () => {
    answer = {
      status: 404,
      type: 'application/json',
      body: '{"error":"device not found","request_id":"r-1"}',
    };
    await assert.rejects(call(getDevice, { params: { id: 'x' } }), (error) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual([error.code, error.status, error.requestId], ['refused', 404, 'r-1']);
      assert.match(error.message, /GET .*\/devices\/x was refused with 404: device not found/);
      return true;
    });
  });

  it('throws for an answer the contract does not know, and when nobody answers', async () => {
    answer = { status: 202 };
    await assert.rejects(call(getDeviceLimit, { params: { name: 'max_devices' } }), {
      code: 'unexpectedAnswer',
    });
    const nobody = createApiClient({ baseUrl: 'http://127.0.0.1:9', token: () => undefined, fetch });
    await assert.rejects(nobody(getDeviceLimit, { params: { name: 'max_devices' } }), {
      code: 'unreachable',
    });
  });
});
