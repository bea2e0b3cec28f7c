import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fastify } from 'fastify';
import { serveWebInterface } from './serve-web-interface.ts';
import { readWebFiles } from './web-files.ts';

const directory = await mkdtemp(join(tmpdir(), 'tandem-web-'));
after(() => rm(directory, { recursive: true }));
const script = 'export const greeting = 1;\n';
await mkdir(join(directory, 'assets'));
await writeFile(join(directory, 'index.html'), '<!doctype html><title>Tandem</title>');
await writeFile(join(directory, 'assets/main-1a2b.js'), script);
await writeFile(join(directory, 'assets/main-1a2b.js.gz'), gzipSync(script));
await writeFile(join(directory, 'secret.pem'), 'not for anybody');

async function interfaceOf(from: string) {
  const http = fastify();
  serveWebInterface(http, await readWebFiles(from));
  return http;
}
const http = await interfaceOf(directory);
const get = (url: string, headers = {}) => http.inject({ url, headers });

test('the address of the server leads to the interface', async () => {
  const answer = await get('/');
  assert.equal(answer.statusCode, 302);
  assert.equal(answer.headers.location, '/ui/');
});

test('every address of the interface is its first page, which is asked for anew each time', async () => {
  for (const url of ['/ui/', '/ui/devices/d1?tab=inventory', '/ui/index.html']) {
    const answer = await get(url);
    assert.equal(answer.statusCode, 200, url);
    assert.match(answer.body, /<title>Tandem/);
    assert.equal(answer.headers['cache-control'], 'no-cache');
  }
});

test('nothing runs in the page that the server did not hand out', async () => {
  const policy = String((await get('/ui/')).headers['content-security-policy']);
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe-|https?:|\*/);
  assert.match(policy, /frame-ancestors 'none'/);
});

test('a script comes compressed to a browser that takes it, and is kept', async () => {
  const answer = await get('/ui/assets/main-1a2b.js', { 'accept-encoding': 'br;q=0, gzip' });
  assert.equal(answer.headers['content-encoding'], 'gzip');
  assert.equal(gunzipSync(answer.rawPayload).toString(), script);
  assert.match(String(answer.headers['cache-control']), /immutable/);
  const plain = await get('/ui/assets/main-1a2b.js', { 'accept-encoding': 'gzip;q=0' });
  assert.equal(plain.headers['content-encoding'], undefined);
  assert.equal(plain.body, script);
});

test('a script of an older build, or a file that is none of the interface, is not there', async () => {
  assert.equal((await get('/ui/assets/main-0000.js')).statusCode, 404);
  const other = await get('/ui/secret.pem');
  assert.doesNotMatch(other.body, /not for anybody/);
  const outside = await get('/ui/assets/..%2f..%2fsecret.pem');
  assert.doesNotMatch(outside.body, /not for anybody/);
});

test('a server without a built interface says so in words', async () => {
  const bare = await interfaceOf(join(directory, 'missing'));
  const answer = await bare.inject('/ui/');
  assert.equal(answer.statusCode, 404);
  assert.match(answer.body, /npm run build:web/);
});

test('a directory that is no built interface is refused at the start', async () => {
  const empty = await mkdtemp(join(tmpdir(), 'tandem-web-'));
  await assert.rejects(readWebFiles(empty), /has no index\.html/);
  await rm(empty, { recursive: true });
});
