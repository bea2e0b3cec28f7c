import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { describe, test } from 'node:test';
import { accepting, answer, authPath, connect, forever, key, listen } from './test-servers.ts';

describe('authentication', () => {
  test('signs the exact body with the device key, and uses the token after it', async (context) => {
    const server = await listen(
      context,
      accepting((_request, _body, response) => answer(response, 204)),
    );
    const { connection } = await connect([server.url]);
    assert.equal(
      await connection.nextDeployment({ device_type: 'd', artifact_name: 'a' }, forever),
      'nothingToDo',
    );
    const [auth, poll] = server.asked;
    assert.ok(auth !== undefined && poll !== undefined);
    const body = JSON.parse(auth.body) as Record<string, string>;
    assert.deepEqual(body, {
      id_data: '{"mac":"a"}',
      pubkey: key.publicKeyPem,
      tenant_token: 'tenant',
      tier: 'standard',
    });
    const signature = Buffer.from(String(auth.headers['x-men-signature']), 'base64');
    assert.ok(verify(null, Buffer.from(auth.body), createPublicKey(String(body['pubkey'])), signature));
    assert.equal(auth.headers['authorization'], 'API_KEY');
    assert.equal(auth.headers['user-agent'], 'Mender/1.2.3');
    assert.equal(poll.headers['authorization'], 'Bearer token.1');
    assert.equal(poll.headers['connection'], 'close');
  });

  test('goes through the list of servers until one accepts, and stays with it', async (context) => {
    const unwilling = await listen(context, (_request, _body, response) =>
      answer(response, 401, { error: 'dev auth: unauthorized' }),
    );
    const willing = await listen(
      context,
      accepting((_request, _body, response) => answer(response, 204)),
    );
    const { connection, log } = await connect(['http://127.0.0.1:1', unwilling.url, willing.url]);
    await connection.reportStatus('id', 'installing', forever);
    await connection.reportStatus('id', 'success', forever);
    assert.equal(unwilling.asked.length, 1);
    assert.equal(willing.asked.length, 3);
    assert.ok(
      log.some((line) => line.includes('it answered 401 (dev auth: unauthorized)')),
      log.join('\n'),
    );
  });

  test('tells a device that nobody accepts from servers that are not there', async (context) => {
    const unwilling = await listen(context, (_request, _body, response) => answer(response, 401));
    const refused = await connect([unwilling.url, 'http://127.0.0.1:1']);
    await assert.rejects(refused.connection.submitInventory([], forever), {
      code: 'unauthorized',
      message: /Accept this device/,
    });
    const absent = await connect(['http://127.0.0.1:1']);
    await assert.rejects(absent.connection.submitInventory([], forever), {
      code: 'unreachable',
      message: /ECONNREFUSED/,
    });
    const none = await connect([]);
    await assert.rejects(none.connection.submitInventory([], forever), /Set ServerURL/);
  });

  test('is repeated once when a token has expired, and once only', async (context) => {
    let valid = 'Bearer token.2';
    const server = await listen(
      context,
      accepting((request, _body, response) =>
        answer(response, request.headers['authorization'] === valid ? 204 : 401),
      ),
    );
    const { connection } = await connect([server.url]);
    assert.equal(await connection.reportStatus('id', 'installing', forever), 'accepted');
    assert.deepEqual(
      server.asked.map(({ headers }) => headers['authorization']),
      ['API_KEY', 'Bearer token.1', 'API_KEY', 'Bearer token.2'],
    );
    valid = 'none';
    await assert.rejects(connection.reportStatus('id', 'installing', forever), {
      code: 'unauthorized',
      status: 401,
    });
    assert.equal(server.asked.length, 7);
  });

  test('is done anew after the token is forgotten', async (context) => {
    const server = await listen(
      context,
      accepting((_request, _body, response) => answer(response, 204)),
    );
    const { connection } = await connect([server.url]);
    await connection.reportStatus('id', 'rebooting', forever);
    connection.forgetToken();
    await connection.reportStatus('id', 'rebooting', forever);
    assert.equal(server.asked.filter(({ url }) => url === authPath).length, 2);
  });

  test('refuses a token that would break a header', async (context) => {
    const server = await listen(context, (_request, _body, response) =>
      answer(response, 200, 'a\r\nX-Evil: 1'),
    );
    const { connection } = await connect([server.url]);
    await assert.rejects(connection.reportStatus('id', 'success', forever), { code: 'badAnswer' });
  });
});
