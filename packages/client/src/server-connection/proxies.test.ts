import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { generate } from 'selfsigned';
import { linuxFiles } from '../system/linux-files.ts';
import { exchange, httpLimits, sendHttp } from './http-exchange.ts';
import { openRequest } from './open-request.ts';
import { proxiesOf } from './proxy-choice.ts';
import { loadTrust } from './tls-trust.ts';

const directory = await mkdtemp(join(tmpdir(), 'proxies-'));
after(() => rm(directory, { recursive: true }));
const forever = new AbortController().signal;

const name = 'update.example';
const pems = await generate([{ name: 'commonName', value: name }], {
  keyType: 'ec',
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: name }] }],
});
const certificate = join(directory, 'server.pem');
await writeFile(certificate, pems.cert);
await writeFile(join(directory, 'key.pem'), pems.private);

async function listen(context: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

interface Asked {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly host: string | undefined;
}

/** Connects everything to this machine, whatever name it is asked for; notes what it was asked. */
async function tinyProxy(context: TestContext, { secure = false, refuses = 0, silent = false } = {}) {
  const asked: Asked[] = [];
  const note = ({ method, url, headers }: IncomingMessage) =>
    asked.push({
      line: `${method} ${url}`,
      authorization: headers['proxy-authorization'],
      host: headers.host,
    });
  const forward: RequestListener = (incoming, response) => {
    note(incoming);
    const { port, pathname, search } = new URL(incoming.url ?? '');
    const outgoing = request({ host: '127.0.0.1', port, path: pathname + search, method: incoming.method });
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(outgoing);
  };
  const server = secure
    ? createTlsServer({ key: pems.private, cert: pems.cert }, forward)
    : createServer(forward);
  server.on('connect', (incoming: IncomingMessage, client: Socket) => {
    note(incoming);
    client.on('error', () => undefined);
    if (silent) return;
    if (refuses !== 0) {
      client.end(`HTTP/1.1 ${refuses} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const upstream = connect(Number(/:(\d+)$/.exec(incoming.url ?? '')?.[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
  });
  const port = await listen(context, server);
  return { asked, port };
}

const echo: RequestListener = (incoming, response) => {
  response.end(
    `${incoming.method} ${incoming.url} ${incoming.headers.host} ${incoming.headers['user-agent']}`,
  );
};
const secureEcho = () => createTlsServer({ key: pems.private, cert: pems.cert }, echo);

async function sender(environment: Record<string, string>, limits = httpLimits) {
  const trust = await loadTrust(
    linuxFiles(),
    { serverCertificate: certificate, skipVerify: false, clientCertificate: '', clientKey: '' },
    () => undefined,
  );
  return { trust, send: sendHttp({ ...trust, proxyFor: proxiesOf(environment) }, 'Mender/1', limits) };
}

const get = async (environment: Record<string, string>, url: string, limits = httpLimits) => {
  const { send } = await sender(environment, limits);
  const { status, body } = await exchange(send, { method: 'GET', url }, 10_000, forever);
  return `${status} ${Buffer.from(body).toString()}`;
};

describe('a client behind a proxy', () => {
  test('asks it for an http address, with credentials, and the server sees its own name', async (context) => {
    const port = await listen(context, createServer(echo));
    const proxy = await tinyProxy(context);
    const answer = await get(
      { http_proxy: `http://us%40er:p%3Aw@127.0.0.1:${proxy.port}` },
      `http://${name}:${port}/a?b=c`,
    );
    assert.match(answer, /^200 GET \/a\?b=c /);
    const [asked] = proxy.asked;
    assert.equal(asked?.line, `GET http://${name}:${port}/a?b=c`);
    assert.equal(asked?.host, `${name}:${port}`);
    assert.equal(asked?.authorization, `Basic ${Buffer.from('us@er:p:w').toString('base64')}`);
  });

  for (const secure of [false, true]) {
    test(`has a tunnel of its own to an https address${secure ? ', by an https proxy' : ''}`, async (context) => {
      const port = await listen(context, secureEcho());
      // The proxy has the same certificate, so it must be called by that name, which only the proxy itself could resolve.
      const proxy = await tinyProxy(context);
      const viaTls = secure ? await tinyProxy(context, { secure }) : undefined;
      const at =
        viaTls === undefined ? `http://u:p@127.0.0.1:${proxy.port}` : `https://u:p@localhost:${viaTls.port}`;
      const asking = get({ https_proxy: at }, `https://${name}:${port}/x`);
      if (viaTls !== undefined) {
        // Its certificate is of another name, and that is looked at.
        await assert.rejects(asking, {
          code: 'unreachable',
          message: /proxy localhost:\d+ cannot be reached/,
        });
        return;
      }
      assert.equal(await asking, `200 GET /x ${name}:${port} Mender/1`);
      assert.deepEqual(proxy.asked, [
        { line: `CONNECT ${name}:${port}`, authorization: 'Basic dTpw', host: `${name}:${port}` },
      ]);
    });
  }

  test('reaches an IPv6 address through it', async (context) => {
    const port = await listen(context, secureEcho());
    const proxy = await tinyProxy(context);
    // The certificate is of another name, so it comes as far as the check of it.
    await assert.rejects(get({ https_proxy: `127.0.0.1:${proxy.port}` }, `https://[2001:db8::1]:${port}/`), {
      message: /IP: 2001:db8::1 is not in the cert/,
    });
    assert.equal(proxy.asked[0]?.line, `CONNECT [2001:db8::1]:${port}`);
  });

  test('checks the name of the server at the end of the tunnel', async (context) => {
    const port = await listen(context, secureEcho());
    const proxy = await tinyProxy(context);
    await assert.rejects(
      get({ https_proxy: `http://127.0.0.1:${proxy.port}` }, `https://other.example:${port}/`),
      {
        code: 'unreachable',
        message: /other\.example/,
      },
    );
  });

  test('says that the proxy wants credentials, and does not tell its own', async (context) => {
    const proxy = await tinyProxy(context, { refuses: 407 });
    await assert.rejects(
      get({ https_proxy: `http://user:secret@127.0.0.1:${proxy.port}` }, `https://${name}:1/`),
      (error: Error) =>
        /refused .* with 407; set user and password/.test(error.message) && !error.message.includes('secret'),
    );
  });

  test('notices a proxy that takes the request and never answers', async (context) => {
    const proxy = await tinyProxy(context, { silent: true });
    const limits = { ...httpLimits, connectMs: 100 };
    await assert.rejects(
      get({ https_proxy: `http://127.0.0.1:${proxy.port}` }, `https://${name}:1/`, limits),
      {
        code: 'unreachable',
        message: /no connection within 0.1 s/,
      },
    );
  });

  test('ends when the work is called off while the tunnel is made', async (context) => {
    const proxy = await tinyProxy(context, { silent: true });
    const { send } = await sender({ https_proxy: `http://127.0.0.1:${proxy.port}` });
    const controller = new AbortController();
    const asking = send({ method: 'GET', url: `https://${name}:1/` }, controller.signal);
    setTimeout(() => controller.abort(new Error('called off')), 50);
    await assert.rejects(asking, /called off/);
  });

  test('goes directly to what no_proxy names', async (context) => {
    const port = await listen(context, createServer(echo));
    const proxy = await tinyProxy(context);
    const environment = { http_proxy: `http://127.0.0.1:${proxy.port}`, no_proxy: 'elsewhere, 127.0.0.0/8' };
    assert.match(await get(environment, `http://127.0.0.1:${port}/`), /^200/);
    assert.deepEqual(proxy.asked, []);
  });

  test('passes on what the local forwarder is asked, through the same proxy', async (context) => {
    const port = await listen(context, secureEcho());
    const proxy = await tinyProxy(context);
    const { trust } = await sender({});
    const open = openRequest({
      ...trust,
      proxyFor: proxiesOf({ https_proxy: `http://127.0.0.1:${proxy.port}` }),
    });
    const outgoing = open(`https://${name}:${port}/y`, { method: 'GET', headers: ['X', 'y'] }, forever);
    outgoing.end();
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    assert.equal(answer.statusCode, 200);
    answer.resume();
    assert.equal(proxy.asked.length, 1);
  });

  test('shows its own certificate to the server at the end of the tunnel', async (context) => {
    const port = await listen(
      context,
      createTlsServer(
        { key: pems.private, cert: pems.cert, ca: pems.cert, requestCert: true, rejectUnauthorized: true },
        echo,
      ),
    );
    const proxy = await tinyProxy(context);
    const url = `https://${name}:${port}/`;
    const environment = { https_proxy: `http://127.0.0.1:${proxy.port}` };
    await assert.rejects(get(environment, url), { code: 'unreachable' });
    const trust = await loadTrust(
      linuxFiles(),
      {
        serverCertificate: certificate,
        skipVerify: false,
        clientCertificate: certificate,
        clientKey: join(directory, 'key.pem'),
      },
      () => undefined,
    );
    const send = sendHttp({ ...trust, proxyFor: proxiesOf(environment) }, 'Mender/1');
    assert.equal((await exchange(send, { method: 'GET', url }, 10_000, forever)).status, 200);
  });
});

describe('the proxy variables', () => {
  const chosen = (environment: Record<string, string>, url: string) => {
    const proxy = proxiesOf(environment)(new URL(url));
    return proxy === undefined
      ? 'direct'
      : `${proxy.isSecure ? 'https' : 'http'} ${proxy.host} ${proxy.port}`;
  };
  // prettier-ignore
  const choices: readonly (readonly [Record<string, string>, string, string])[] = [
    [{},                                                              'https://a.example/',        'direct'],
    [{ https_proxy: 'proxy:3128' },                                   'https://a.example/',        'http proxy 3128'],
    [{ https_proxy: 'proxy:3128' },                                   'http://a.example/',         'direct'],
    [{ HTTP_PROXY: 'http://proxy' },                                  'http://a.example/',         'http proxy 80'],
    [{ https_proxy: 'https://[2001:db8::2]/' },                       'https://a.example/',        'https 2001:db8::2 443'],
    [{ https_proxy: 'p:1', HTTPS_PROXY: 'p:1' },                      'https://a.example/',        'http p 1'],
    [{ https_proxy: 'p:1', no_proxy: 'a.example' },                   'https://a.example/',        'direct'],
    [{ https_proxy: 'p:1', no_proxy: 'example' },                     'https://a.example/',        'direct'],
    [{ https_proxy: 'p:1', no_proxy: 'ample' },                       'https://a.example/',        'http p 1'],
    [{ https_proxy: 'p:1', no_proxy: 'b.example .example' },          'https://a.example/',        'direct'],
    [{ https_proxy: 'p:1', no_proxy: '.a.example' },                  'https://a.example/',        'http p 1'],
    [{ https_proxy: 'p:1', no_proxy: 'A.EXAMPLE,b' },                 'https://a.example/',        'direct'],
    [{ https_proxy: 'p:1', NO_PROXY: 'a.example:444' },               'https://a.example/',        'http p 1'],
    [{ https_proxy: 'p:1', no_proxy: 'a.example:443' },               'https://a.example/',        'direct'],
    [{ https_proxy: 'p:1', no_proxy: '*' },                           'https://a.example/',        'direct'],
    [{ https_proxy: 'p:1', no_proxy: '10.0.0.0/8' },                  'https://10.1.2.3/',         'direct'],
    [{ https_proxy: 'p:1', no_proxy: '10.0.0.0/8' },                  'https://11.1.2.3/',         'http p 1'],
    [{ https_proxy: 'p:1', no_proxy: '2001:db8::/32' },               'https://[2001:db8::7]/',    'direct'],
    [{ https_proxy: 'p:1', no_proxy: '[2001:db8::7]:443' },           'https://[2001:db8::7]/',    'direct'],
    [{ https_proxy: 'p:1', no_proxy: '2001:db8::7' },                 'https://[2001:db8::7]/',    'direct'],
    [{ https_proxy: 'p:1', no_proxy: '2.3' },                         'https://10.1.2.3/',         'http p 1'],
  ];
  for (const [environment, url, expected] of choices) {
    test(`${JSON.stringify(environment)} to ${url}: ${expected}`, () => {
      assert.equal(chosen(environment, url), expected);
    });
  }

  test('are refused when they cannot be right, each by its name, and no password is repeated', () => {
    const environment = {
      http_proxy: 'http://user:secret@one:1',
      HTTP_PROXY: 'http://user:secret@two:1',
      https_proxy: 'socks5://user:secret@three:1',
      no_proxy: '10.0.0.0/99',
      REQUEST_METHOD: 'GET',
    };
    assert.throws(
      () => proxiesOf(environment),
      (error: Error) => {
        for (const part of ['both set and differ', 'REQUEST_METHOD', 'scheme socks5', '10.0.0.0/99'])
          assert.ok(error.message.includes(part), `${part} in ${error.message}`);
        return !error.message.includes('secret');
      },
    );
    assert.throws(() => proxiesOf({ http_proxy: 'http://proxy/path' }), /http_proxy has a path/);
    assert.throws(() => proxiesOf({ http_proxy: 'http://:::' }), /http_proxy is not an address/);
  });
});
