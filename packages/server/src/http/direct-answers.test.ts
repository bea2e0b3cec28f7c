import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { getNextDeployment } from '@tandem/api';
import { systemActor } from '../actor.ts';
import type { Log } from '../log.ts';
import { acceptedDevice, startWholeServer, type WholeServer } from '../testing/whole-server.ts';
import { createHttp } from './create-http.ts';
import { directAnswers } from './direct-answers.ts';
import type { AnsweredRequest } from './measure-requests.ts';

/*
 * Over a socket polls with nothing to do are answered in front of the framework; handed to the framework itself, as all other tests do,
 * they are not. Both must be the same to whoever asks.
 */
const next = '/api/devices/v1/deployments/device/deployments/next';
const nextV2 = '/api/devices/v2/deployments/device/deployments/next';
const query = '?artifact_name=release-1&device_type=test';
const flat = JSON.stringify({ artifact_name: 'release-1', device_type: 'test' });
const nested = JSON.stringify({ device_provides: { artifact_name: 'release-1', device_type: 'test' } });
const json = { 'content-type': 'application/json' };

let server: WholeServer;
let url: URL;
let token: string;
let revoked: string;
before(async () => {
  server = await startWholeServer();
  ({ token } = await acceptedDevice(server, { mac: 'di:01' }));
  const other = await acceptedDevice(server, { mac: 'di:02' });
  revoked = other.token;
  await server.request('DELETE', `/api/management/v2/devauth/tokens/${other.setId}`, { token: server.token });
  url = new URL(await server.server.listen({ host: '127.0.0.1', port: 0 }));
});
after(() => server[Symbol.asyncDispose]());

interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whose token; the device's unless it is said. */
  readonly as?: 'device' | 'revoked' | 'user' | 'nobody' | 'forged';
  readonly status: number;
}

// prettier-ignore
const cases: Readonly<Record<string, Asked>> = {
  'GET v1':                      { method: 'GET',  path: next + query, status: 204 },
  'POST v1':                     { method: 'POST', path: next, headers: json, body: flat, status: 204 },
  'POST v2':                     { method: 'POST', path: nextV2, headers: json, body: nested, status: 204 },
  'a charset beside the type':   { method: 'POST', path: nextV2, headers: { 'content-type': 'application/json; charset=utf-8' }, body: nested, status: 204 },
  'a query that lacks a value':  { method: 'GET',  path: `${next}?artifact_name=release-1`, status: 400 },
  'no query':                    { method: 'GET',  path: next, status: 400 },
  'no JSON':                     { method: 'POST', path: nextV2, headers: json, body: '{', status: 400 },
  'no bytes':                    { method: 'POST', path: nextV2, headers: json, body: '', status: 400 },
  'no UTF-8':                    { method: 'POST', path: next, headers: json, body: '"\uD800"', status: 400 },
  'another shape':               { method: 'POST', path: nextV2, headers: json, body: flat, status: 400 },
  'another type':                { method: 'POST', path: nextV2, headers: { 'content-type': 'text/plain' }, body: nested, status: 415 },
  'no type':                     { method: 'POST', path: nextV2, body: nested, status: 400 },
  'too much':                    { method: 'POST', path: nextV2, headers: json, body: ' '.repeat(1_048_577), status: 413 },
  'nobody':                      { method: 'GET',  path: next + query, as: 'nobody', status: 401 },
  'a user':                      { method: 'GET',  path: next + query, as: 'user', status: 401 },
  'a device that was revoked':   { method: 'POST', path: nextV2, headers: json, body: nested, as: 'revoked', status: 401 },
  'a forged token':              { method: 'POST', path: nextV2, headers: json, body: nested, as: 'forged', status: 401 },
  'another method':              { method: 'PUT',  path: next, headers: json, body: flat, status: 405 },
};

const tokenOf = (who: Asked['as'] = 'device'): string | undefined =>
  ({ device: token, revoked, user: server.token, nobody: undefined, forged: `${token.slice(0, -4)}AAAA` })[
    who
  ];

/** Over a connection of its own. */
const overSocket = ({ method, path, headers = {}, body, as }: Asked, more: Record<string, string> = {}) =>
  new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
    const bearer = tokenOf(as);
    const asked = httpRequest(
      new URL(path, url),
      {
        method,
        agent: false,
        headers: {
          ...headers,
          ...more,
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
          ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        },
      },
      (answer) => {
        const { statusCode = 0, headers } = answer;
        text(answer).then((read) => resolve({ status: statusCode, headers, text: read }), reject);
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });

/** Without what a connection adds. */
const comparable = (headers: Readonly<Record<string, unknown>>) => {
  assert.ok(headers['date'] !== undefined);
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name)),
  );
};

describe('polls over a socket', () => {
  for (const [name, asked] of Object.entries(cases)) {
    it(`are answered as the framework does: ${name}`, async () => {
      const id = { 'x-men-requestid': 'the-same' };
      const { method, path, headers, body, as } = asked;
      const expected = await server.request(method, path, {
        token: tokenOf(as),
        body: body === undefined ? undefined : Buffer.from(body),
        // As `request` would have it, unless it is not to be said.
        headers: { 'content-type': '', ...headers, ...id },
      });
      const answer = await overSocket(asked, id);
      assert.equal(answer.status, asked.status);
      assert.deepEqual(
        { ...answer, headers: comparable(answer.headers) },
        { status: expected.status, headers: comparable(expected.headers), text: expected.text },
      );
    });
  }

  it('are logged once, by whom they were, and have an id of their own', async () => {
    const before = server.logged.length;
    const { headers } = await overSocket({ method: 'GET', path: next + query, status: 204 });
    const id = headers['x-men-requestid'];
    assert.match(String(id), /^[0-9a-f-]{36}$/);
    const lines = server.logged.slice(before).filter((line) => line.includes(String(id)));
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? '',
      /^info GET \/api\/devices\/v1\/deployments\/device\/deployments\/next 204 .*"by":"device:/,
    );
  });

  it('that come together are answered each by itself, right or wrong, however often they were asked', async () => {
    const wrong = `${next}?artifact_name=release-1`;
    const paths = Array.from({ length: 20 }, (_, number) => [
      `${next}?artifact_name=release-${number}&device_type=test`,
      wrong,
    ]).flat();
    for (let time = 0; time < 2; time += 1) {
      const answers = await Promise.all(paths.map((path) => overSocket({ method: 'GET', path, status: 0 })));
      assert.deepEqual(
        answers.map(({ status }) => status),
        paths.map((path) => (path === wrong ? 400 : 204)),
      );
      assert.equal(new Set(answers.map(({ headers }) => headers['x-men-requestid'])).size, paths.length);
    }
  });

  it('come to the framework when they say nothing of their length', async () => {
    const { status } = await new Promise<{ status: number }>((resolve, reject) => {
      const headers = { ...json, authorization: `Bearer ${token}`, 'transfer-encoding': 'chunked' };
      const asked = httpRequest(new URL(nextV2, url), { method: 'POST', agent: false, headers }, (answer) =>
        resolve({ status: answer.resume().statusCode ?? 0 }),
      );
      asked.on('error', reject);
      asked.write(nested.slice(0, 10));
      asked.end(nested.slice(10));
    });
    assert.equal(status, 204);
  });

  it('that break off leave a line in the log, and the next is answered', async () => {
    const before = server.logged.length;
    const socket = connect(Number(url.port), url.hostname);
    socket.write(
      `POST ${nextV2} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"device`,
    );
    setTimeout(() => socket.destroy(), 100);
    for (let waited = 0; waited < 5000; waited += 20) {
      if (server.logged.slice(before).some((line) => line.includes('/next 400'))) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(
      server.logged.slice(before).some((line) => line.startsWith('info POST') && line.includes(' 400')),
    );
    const { status } = await overSocket({ method: 'GET', path: next + query, status: 204 });
    assert.equal(status, 204);
  });

  it('several on one connection are answered one after another', async () => {
    const socket = connect(Number(url.port), url.hostname);
    const head = `Host: x\r\nAuthorization: Bearer ${token}\r\n`;
    const post = `POST ${nextV2} HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${nested.length}\r\n\r\n${nested}`;
    const get = `GET ${next}${query} HTTP/1.1\r\n${head}\r\n`;
    socket.write(
      post +
        get +
        post.replace(nested, nested.replaceAll(/./g, ' ')) +
        get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
    );
    const answers = await text(socket);
    assert.deepEqual(
      [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ['204', '204', '400', '204'],
    );
  });

  it('that are under way when the server stops end their connection', async () => {
    const stopping = await startWholeServer();
    const { token } = await acceptedDevice(stopping, { mac: 'di:03' });
    const { port, hostname } = new URL(await stopping.server.listen({ host: '127.0.0.1', port: 0 }));
    const socket = connect(Number(port), hostname);
    const answer = text(socket);
    socket.write(
      `POST ${nextV2} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${nested.length}\r\n\r\n${nested.slice(0, 9)}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    const stopped = stopping[Symbol.asyncDispose]();
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write(nested.slice(9));
    assert.match(await answer, /^HTTP\/1\.1 204 [\s\S]*\r\nconnection: close\r\n/);
    await stopped;
  });

  it('are counted by what measures requests; an error of ours is logged, and not told', async () => {
    const measured: AnsweredRequest[] = [];
    const logged: string[] = [];
    const log: Log = (level, message, fields) =>
      void logged.push(`${level} ${message} ${String(fields?.['cause'])}`);
    const app = createHttp({ tls: undefined, maxBodyBytes: 1000, log });
    const direct = directAnswers(app, {
      log,
      headers: {},
      maxBodyBytes: 1000,
      requestAnswered: (one) => void measured.push(one),
    });
    const faults: Error[] = [];
    direct(next, {
      endpoint: getNextDeployment,
      admit: async () => {
        for (const fault of faults) throw fault;
        return { actor: systemActor('t', 'test'), tokenId: 'x' };
      },
      read: (request) => ({ ...request, query: {} }),
      isSettled: () => true,
    });
    const origin = await app.listen({ host: '127.0.0.1', port: 0 });
    assert.equal((await fetch(`${origin}${next}`)).status, 204);
    faults.push(new Error('a secret of the database'));
    const answer = await fetch(`${origin}${next}`);
    assert.equal(answer.status, 500);
    assert.doesNotMatch(await answer.text(), /secret/);
    await app.close();
    assert.deepEqual(
      measured.map(({ endpoint, route, status, method }) => [endpoint, route, status, method]),
      [204, 500].map((status) => ['getNextDeployment', next, status, 'GET']),
    );
    assert.equal(logged.filter((line) => line.startsWith('error') && line.includes('a secret')).length, 1);
  });
});
