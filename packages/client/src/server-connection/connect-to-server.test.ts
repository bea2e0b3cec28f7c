import assert from 'node:assert/strict';
import { createVerify, generateKeyPairSync, verify, createPublicKey } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { generate } from 'selfsigned';
import { ClientError } from '../client-error.ts';
import { loadOrMakeDeviceKey } from '../identity/key-file.ts';
import { canonicalJson, readIdentityData } from '../identity/identity-data.ts';
import { linuxFiles } from '../system/linux-files.ts';
import { linuxProcesses } from '../system/linux-processes.ts';
import type { Clock } from '../system/system.ts';
import { authenticate } from './authenticate.ts';
import { connectToServer, type ServerConnectionOptions } from './connect-to-server.ts';
import { exchange, sendHttp, type HttpLimits } from './http-exchange.ts';
import { retryAfterMs } from './retry-after.ts';
import { keepSession } from './session-source.ts';
import { loadTrust, type TrustOptions } from './tls-trust.ts';

const directory = await mkdtemp(join(tmpdir(), 'server-connection-'));
after(() => rm(directory, { recursive: true }));
const files = linuxFiles();
const forever = new AbortController().signal;
const key = await loadOrMakeDeviceKey(files, { path: join(directory, 'key.pem'), madeElsewhere: false });
const plainTrust = { serverCertificate: '', skipVerify: false, clientCertificate: '', clientKey: '' };

type Handler = (request: IncomingMessage, body: string, response: ServerResponse) => void;

/** A server on a port of its own, for one test; what it was asked is kept. */
async function listen(
  context: TestContext,
  handler: Handler,
  tls?: { key: string; cert: string; ca?: string },
) {
  const asked: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      handler(request, body, response);
    });
  };
  const server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer(
          { ...tls, ...(tls.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true }) },
          listener,
        );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, asked };
}

const authPath = '/api/devices/v1/authentication/auth_requests';

/** Accepts every device with a numbered token, and leaves the rest to the test. */
function accepting(handler: Handler): Handler {
  let tokens = 0;
  return (request, body, response) => {
    if (request.url === authPath) response.end(`token.${++tokens}`);
    else handler(request, body, response);
  };
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown = '',
  headers: Record<string, string> = {},
) {
  response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** Time passes at once; what was waited for is kept. */
function quickClock(): Clock & { waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => Date.UTC(2026, 0, 1),
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
  };
}

async function connect(
  servers: readonly string[],
  options: Partial<ServerConnectionOptions & TrustOptions & { limits: HttpLimits }> = {},
) {
  const log: string[] = [];
  const clock = quickClock();
  const note = (level: string, message: string) => void log.push(`${level}: ${message}`);
  const trust = await loadTrust(files, { ...plainTrust, ...options }, note);
  const send = sendHttp(trust, 'Mender/1.2.3', options.limits);
  const credentials = { key, identityData: '{"mac":"a"}', tenantToken: 'tenant', tier: 'standard' };
  const connection = connectToServer({
    send,
    clock,
    log: note,
    sessions: keepSession((signal) => authenticate({ send, clock, log: note }, servers, credentials, signal)),
    download: { attempts: 3, longestWaitMs: 60_000 },
    ...options,
  });
  return { connection, log, clock };
}

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

  for (const [name, pair, check] of [
    [
      'RSA by PKCS #1 v1.5 and SHA-256',
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      (pub: string, sig: Buffer) => createVerify('RSA-SHA256').update('body').verify(pub, sig),
    ],
    [
      'ECDSA in DER over SHA-256',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      (pub: string, sig: Buffer) =>
        createVerify('SHA256').update('body').verify({ key: pub, dsaEncoding: 'der' }, sig),
    ],
  ] as const) {
    test(`signs with a key from elsewhere: ${name}`, async () => {
      const path = join(directory, 'elsewhere.pem');
      await writeFile(path, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o644 });
      const loaded = await loadOrMakeDeviceKey(files, { path, madeElsewhere: true });
      const signature = await loaded.sign(Buffer.from('body'), forever);
      assert.ok(check(loaded.publicKeyPem, Buffer.from(signature, 'base64')));
      assert.equal((await stat(path)).mode & 0o777, 0o600, 'others can no longer read it');
    });
  }

  test('keeps the key it made, unreadable for others, and names one that cannot be used', async () => {
    const path = join(directory, 'made.pem');
    const made = await loadOrMakeDeviceKey(files, { path, madeElsewhere: false, passphrase: 'secret' });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const again = await loadOrMakeDeviceKey(files, { path, madeElsewhere: false, passphrase: 'secret' });
    assert.equal(again.publicKeyPem, made.publicKeyPem);
    await assert.rejects(loadOrMakeDeviceKey(files, { path, madeElsewhere: false }), {
      code: 'badKey',
      message: /made\.pem/,
    });
    const missing = join(directory, 'missing.pem');
    await assert.rejects(loadOrMakeDeviceKey(files, { path: missing, madeElsewhere: true }), {
      code: 'badKey',
    });
    assert.equal(await files.read(missing, 1), undefined, 'a static key is never made');
  });
});

describe('the identity of a device', () => {
  const processes = linuxProcesses(process.env, 200);
  const script = async (text: string) => {
    const path = join(directory, 'identity');
    await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return await readIdentityData(processes, path, forever);
  };

  test('is canonical JSON, byte for byte, of what the program prints', async () => {
    assert.equal(
      await script(`printf 'sn=1\\nmac=aa:bb\\nsn=2=x\\n\\nname=Größe "q"\\n'`),
      '{"mac":"aa:bb","name":"Größe \\"q\\"","sn":["1","2=x"]}',
    );
    const byBytes = canonicalJson(
      new Map([
        ['\u{1f600}', ['a']],
        ['\uff5e', ['b']],
      ]),
    );
    assert.equal(byBytes, '{"\uff5e":"b","\u{1f600}":"a"}', 'sorted by bytes, not by UTF-16');
  });

  test('cannot be made from a program that fails or prints nothing', async () => {
    for (const text of ['echo a=1; exit 1', 'true', 'echo no-equals-sign', 'kill -9 $$']) {
      await assert.rejects(script(text), { code: 'noIdentity' }, text);
    }
  });
});

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

describe('TLS', () => {
  const made = (name: string, ca?: { key: string; cert: string }) =>
    generate([{ name: 'commonName', value: name }], {
      algorithm: 'sha256',
      keySize: 2048,
      extensions: [
        { name: 'basicConstraints', cA: ca === undefined },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
      ],
      ...(ca === undefined ? {} : { ca }),
    });
  const authority = made('authority');
  const ok: Handler = accepting((_request, _body, response) => answer(response, 204));

  test('trusts the configured certificate beside those of the system, and nobody else', async (context) => {
    const { private: caKey, cert: caCert } = await authority;
    const { private: serverKey, cert } = await made('server', { key: caKey, cert: caCert });
    const server = await listen(context, ok, { key: serverKey, cert });
    const serverCertificate = join(directory, 'ca.pem');
    await writeFile(serverCertificate, caCert);

    const trusting = await connect([server.url], { serverCertificate });
    assert.equal(await trusting.connection.reportStatus('id', 'success', forever), 'accepted');
    const strange = await connect([server.url]);
    await assert.rejects(strange.connection.reportStatus('id', 'success', forever), {
      code: 'unreachable',
      message: /set ServerCertificate/,
    });
    const careless = await connect([server.url], { skipVerify: true });
    assert.equal(await careless.connection.reportStatus('id', 'success', forever), 'accepted');
    assert.match(careless.log.join('\n'), /SkipVerify is set/);
    const broken = await connect([server.url], { serverCertificate: join(directory, 'none.pem') });
    assert.match(broken.log.join('\n'), /warning: ServerCertificate .*none\.pem is not used/);
  });

  test('checks the name of the server', async (context) => {
    const { private: caKey, cert: caCert } = await authority;
    const { private: serverKey, cert } = await made('server', { key: caKey, cert: caCert });
    const server = await listen(context, ok, { key: serverKey, cert });
    const serverCertificate = join(directory, 'ca.pem');
    await writeFile(serverCertificate, caCert);
    const { connection } = await connect([server.url.replace('127.0.0.1', 'localhost')], {
      serverCertificate,
    });
    await assert.rejects(connection.reportStatus('id', 'success', forever), { code: 'unreachable' });
  });

  test('shows a client certificate to a server that asks for one', async (context) => {
    const { private: caKey, cert: caCert } = await authority;
    const [forServer, forClient] = await Promise.all([
      made('server', { key: caKey, cert: caCert }),
      made('client', { key: caKey, cert: caCert }),
    ]);
    const server = await listen(context, ok, { key: forServer.private, cert: forServer.cert, ca: caCert });
    const paths = { serverCertificate: 'ca.pem', clientCertificate: 'client.pem', clientKey: 'client.key' };
    const at = Object.fromEntries(
      Object.entries(paths).map(([name, file]) => [name, join(directory, file)]),
    ) as typeof paths;
    await writeFile(at.serverCertificate, caCert);
    await writeFile(at.clientCertificate, forClient.cert);
    await writeFile(at.clientKey, forClient.private);
    const showing = await connect([server.url], at);
    assert.equal(await showing.connection.reportStatus('id', 'success', forever), 'accepted');
    const hiding = await connect([server.url], { serverCertificate: at.serverCertificate });
    await assert.rejects(hiding.connection.reportStatus('id', 'success', forever), { code: 'unreachable' });
    await assert.rejects(
      connect([server.url], { ...at, clientKey: at.clientCertificate }),
      /Cannot use the client certificate/,
    );
  });
});

test('Retry-After is seconds or a date, at most a day, and nothing else', () => {
  const now = Date.UTC(2026, 0, 1);
  assert.equal(retryAfterMs('0', now), 0);
  assert.equal(retryAfterMs('999999999', now), 86_400_000);
  assert.equal(retryAfterMs('Wed, 31 Dec 2025 23:00:00 GMT', now), 0);
  for (const other of [undefined, '', '-1', '1.5', 'soon', '2026-01-01T00:00:00Z']) {
    assert.equal(retryAfterMs(other, now), undefined);
  }
});
