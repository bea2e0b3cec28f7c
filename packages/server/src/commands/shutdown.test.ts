import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { artifactForm, packArtifact } from '../deployments/test-data/test-artifact.ts';
import { runCommandHere } from '../testing/command-here.ts';
import { startServerProcess, type ServerProcess } from '../testing/server-process.ts';

const admin = { email: 'admin@example.com', password: 'correct horse battery' };
/** More than sockets and streams hold: it is under way until it is read. */
const size = 24 * 1024 * 1024;

let directory: string;
let server: ServerProcess | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-shutdown-'));
});
afterEach(async () => {
  if (server?.process.exitCode === null) await server.end('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

/** A server with an administrator who is logged in. */
async function start(options: readonly string[] = []) {
  await runCommandHere(
    ['user', 'create', '--data-dir', directory, '--email', admin.email, '--password-stdin'],
    admin.password,
  );
  server = await startServerProcess(directory, ['--http', ...options]);
  const { url } = server;
  const login = await fetch(`${url}/api/management/v1/useradm/auth/login`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${admin.email}:${admin.password}`).toString('base64')}` },
  });
  const authorization = `Bearer ${await login.text()}`;
  return { server, url, headers: { authorization } };
}

/** The head of the answer has come, its body waits to be read. */
async function open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { agent: false, headers }), 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  return response;
}

async function linkToArtifact(url: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const artifacts = `${url}/api/management/v1/deployments/artifacts`;
  const body = artifactForm(await packArtifact({ name: 'large', content: randomBytes(size) }));
  const uploaded = await fetch(artifacts, { method: 'POST', headers, body });
  assert.equal(uploaded.status, 201, await uploaded.text());
  const id = uploaded.headers.get('location')?.split('/').at(-1) ?? '';
  const answer = await fetch(`${artifacts}/${id}/download`, { headers });
  return ((await answer.json()) as { uri: string }).uri;
}

/** Until the server takes no more connections. */
async function closed(url: string): Promise<void> {
  for (;;) {
    try {
      await (await fetch(`${url}/health`)).text();
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a server that is stopped', () => {
  it('takes nothing new, and lets a download go to its end', async () => {
    const { server, url, headers } = await start();
    const download = await open(await linkToArtifact(url, headers));
    const ended = server.end('SIGTERM');
    await closed(url);
    assert.equal(server.process.exitCode, null, 'it waits for the download');
    let bytes = 0;
    for await (const chunk of download) bytes += (chunk as Buffer).length;
    assert.ok(bytes > size && download.complete, `${bytes} bytes came`);
    assert.equal(await ended, 0);
  });

  it('cuts off a download that takes longer than --shutdown-seconds', async () => {
    const { server, url, headers } = await start(['--shutdown-seconds', '1']);
    const download = await open(await linkToArtifact(url, headers));
    const started = performance.now();
    assert.equal(await server.end('SIGTERM'), 0);
    assert.ok(performance.now() - started >= 900, 'it had its second');
    // Read now, it breaks off.
    await assert.rejects(once(download.resume(), 'end'), /aborted/);
    assert.equal(download.complete, false);
  });

  it('ends streams of changes at once, whole to the last event', async () => {
    const { server, url, headers } = await start();
    const stream = await open(`${url}/api/tandem/v1/changes`, headers);
    stream.resume();
    const started = performance.now();
    const code = await server.end('SIGTERM');
    assert.equal(code, 0);
    assert.ok(performance.now() - started < 8000, 'not only when patience was at its end');
    if (!stream.closed) await once(stream, 'close');
  });
});
