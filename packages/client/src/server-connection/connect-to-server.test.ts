import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClientError } from '../client-error.ts';
import { exchange, sendHttp } from './http-exchange.ts';
import { accepting, answer, connect, files, forever, listen, plainTrust } from './test-servers.ts';
import { loadTrust } from './tls-trust.ts';

describe('asking for a deployment', () => {
  const offer = {
    id: '5e8c-1',
    artifact: {
      artifact_name: 'release-2',
      device_types_compatible: ['a', 'b'],
      source: { uri: 'https://example.com/file?signature=secret', expire: '2026-01-01T00:00:00Z' },
    },
  };

  test('tells the server what the device provides and takes its offer', async (context) => {
    const server = await listen(
      context,
      accepting((_request, _body, response) => answer(response, 200, offer)),
    );
    const { connection } = await connect([server.url]);
    const provides = { device_type: 'a', artifact_name: 'release-1', 'rootfs-image.version': '1' };
    assert.deepEqual(await connection.nextDeployment(provides, forever), {
      deploymentId: '5e8c-1',
      artifactName: 'release-2',
      deviceTypes: ['a', 'b'],
      uri: 'https://example.com/file?signature=secret',
    });
    const poll = server.asked[1];
    assert.equal(`${poll?.method} ${poll?.url}`, 'POST /api/devices/v2/deployments/device/deployments/next');
    assert.deepEqual(JSON.parse(poll?.body ?? ''), { device_provides: provides });
  });

  test('speaks the first version with a server that does not know the second', async (context) => {
    const server = await listen(
      context,
      accepting((request, _body, response) => answer(response, request.method === 'GET' ? 200 : 404, offer)),
    );
    const { connection } = await connect([server.url]);
    await connection.nextDeployment({ device_type: 'a b', artifact_name: 'r&1', kernel: '6' }, forever);
    const polls = server.asked.slice(1).map(({ method, url, body }) => ({ poll: `${method} ${url}`, body }));
    const v1 = '/api/devices/v1/deployments/device/deployments/next';
    const provides = { device_type: 'a b', artifact_name: 'r&1', kernel: '6' };
    assert.deepEqual(polls, [
      {
        poll: 'POST /api/devices/v2/deployments/device/deployments/next',
        body: JSON.stringify({ device_provides: provides }),
      },
      { poll: `POST ${v1}`, body: JSON.stringify(provides) },
      { poll: `GET ${v1}?artifact_name=r%261&device_type=a+b`, body: '' },
    ]);
  });

  test('says that a web page is no answer of a server', async (context) => {
    const page = '<!DOCTYPE html><title>Sign in to the hotel</title>';
    const server = await listen(
      context,
      accepting((_request, _body, response) =>
        answer(response, 200, page, { 'Content-Type': 'text/html; charset=utf-8' }),
      ),
    );
    const { connection } = await connect([server.url]);
    await assert.rejects(connection.nextDeployment({}, forever), {
      code: 'badAnswer',
      message: /not JSON; it is a web page: a captive portal/,
    });
    await assert.rejects(connection.reportStatus('d', 'success', forever), {
      code: 'refused',
      message: /with 200; it is a web page/,
    });
    await assert.rejects(
      async () => {
        for await (const _bytes of connection.download({ uri: `${server.url}/artifact` }, forever));
      },
      { code: 'badAnswer', message: /not an artifact; it is a web page/ },
    );
  });

  test('refuses an offer it cannot use, naming every fault', async (context) => {
    const server = await listen(
      context,
      accepting((_request, _body, response) =>
        answer(response, 200, { id: '../../etc', artifact: { source: { uri: 'file:///etc/passwd' } } }),
      ),
    );
    const { connection } = await connect([server.url]);
    await assert.rejects(connection.nextDeployment({}, forever), (error: unknown) => {
      assert.ok(error instanceof ClientError && error.code === 'badAnswer');
      for (const part of ['id is not', 'uri is not', 'artifact_name is missing', 'device_types_compatible']) {
        assert.match(error.message, new RegExp(part));
      }
      return true;
    });
  });

  test('does not read an answer without end', async (context) => {
    const server = await listen(
      context,
      accepting((_request, _body, response) => {
        const more = () => {
          while (response.write('x'.repeat(65_536)));
        };
        response.on('drain', more);
        more();
      }),
    );
    const { connection } = await connect([server.url]);
    await assert.rejects(connection.nextDeployment({}, forever), {
      code: 'badAnswer',
      message: /longer than/,
    });
  });

  test('does not wait for an answer that comes a byte now and then', async (context) => {
    const server = await listen(context, (_request, _body, response) => {
      const more = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(more));
    });
    const trust = await loadTrust(files, plainTrust, () => undefined);
    const limits = { connectMs: 1000, answerMs: 300, idleMs: 200 };
    const asking = exchange(
      sendHttp(trust, 'Mender/1.2.3', limits),
      { method: 'GET', url: server.url },
      65_536,
      forever,
      limits,
    );
    await assert.rejects(asking, { code: 'unreachable', message: /not whole within 0\.3 s/ });
  });
});
describe('reports', () => {
  test('know an aborted deployment, and pass on how long a server wants to be left alone', async (context) => {
    const statuses: [number, Record<string, string>][] = [
      [409, {}],
      [429, { 'Retry-After': '90' }],
      [429, { 'Retry-After': 'Thu, 01 Jan 2026 00:02:00 GMT' }],
      [500, { 'Retry-After': '90' }],
      [302, { Location: 'http://example.com' }],
    ];
    const server = await listen(
      context,
      accepting((_request, _body, response) => {
        const [status, headers] = statuses.shift() ?? [204, {}];
        answer(response, status, '', headers);
      }),
    );
    const { connection } = await connect([server.url]);
    const report = () => connection.reportStatus('id', 'installing', forever);
    assert.equal(await report(), 'aborted');
    await assert.rejects(report(), { code: 'refused', status: 429, retryAfterMs: 90_000 });
    await assert.rejects(report(), { status: 429, retryAfterMs: 120_000 });
    await assert.rejects(report(), { status: 500, retryAfterMs: undefined });
    await assert.rejects(report(), { status: 302, message: /redirects are not followed/ });
    assert.equal(await report(), 'accepted');
  });

  test('carry the log, and say when it is too large', async (context) => {
    const statuses = [204, 413];
    const server = await listen(
      context,
      accepting((_request, _body, response) => answer(response, statuses.shift() ?? 500)),
    );
    const { connection } = await connect([server.url]);
    const messages = [{ timestamp: '2026-01-01T00:00:00Z', level: 'info', message: 'm' }];
    await connection.uploadLog('id', messages, forever);
    assert.deepEqual(JSON.parse(server.asked[1]?.body ?? ''), { messages });
    await assert.rejects(connection.uploadLog('id', messages, forever), { status: 413 });
  });

  test('do not repeat an inventory that has not changed, unless the server may have forgotten', async (context) => {
    const server = await listen(
      context,
      accepting((_request, _body, response) => answer(response, 200)),
    );
    const { connection, log } = await connect([server.url]);
    const attributes = [{ name: 'a', value: ['1', '2'] }];
    await connection.submitInventory(attributes, forever);
    await connection.submitInventory(attributes, forever);
    assert.equal(server.asked.length, 2);
    assert.ok(log.includes('info: Inventory data unchanged, not submitting.'));
    connection.forgetToken();
    await connection.submitInventory(attributes, forever);
    assert.equal(server.asked.length, 4);
    await connection.submitInventory([...attributes, { name: 'b', value: '3' }], forever);
    assert.deepEqual(JSON.parse(server.asked[4]?.body ?? ''), [...attributes, { name: 'b', value: '3' }]);
  });

  test('end when the work is called off', async (context) => {
    const controller = new AbortController();
    const server = await listen(
      context,
      accepting(() => {
        controller.abort(new Error('called off'));
      }),
    );
    const { connection } = await connect([server.url]);
    await assert.rejects(connection.reportStatus('id', 'success', controller.signal), /called off/);
  });

  test('end when a server takes the request and never answers', async (context) => {
    const server = await listen(
      context,
      accepting(() => undefined),
    );
    const { connection } = await connect([server.url], {
      limits: { connectMs: 1000, answerMs: 150, idleMs: 150 },
    });
    await assert.rejects(connection.reportStatus('id', 'success', forever), {
      code: 'unreachable',
      message: /no answer within/,
    });
  });
});
