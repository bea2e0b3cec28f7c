import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { upload } from './test-data/test-artifact.ts';
import { startTestServer, type TestServer } from './test-data/test-server.ts';

/** One request of a real client (Debian's mender 3.4), as a stand-in server took it; logs are cut to their first lines. */
interface Recorded {
  readonly capture: string;
  readonly method: string;
  /** `{id}` is the deployment's, `{link}` the artifact's link. */
  readonly path: string;
  readonly range?: string;
  readonly body?: unknown;
  /** What the stand-in answered; nothing where it cut the connection. */
  readonly status?: number;
  /** What it offered. */
  readonly artifact_name?: string;
}

const recorded = (await readFile(new URL('test-data/recorded-traffic.jsonl', import.meta.url), 'utf8'))
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);
const captures = Map.groupBy(recorded, ({ capture }) => capture);

/** Where we answer otherwise on purpose: the stand-in knew no version 1 POST, we do. */
const otherwise = (step: Recorded, offered: boolean): number | undefined =>
  step.path.endsWith('/v1/deployments/device/deployments/next') && step.method === 'POST'
    ? offered
      ? 204
      : 200
    : step.status;

const expectedEnds: Readonly<Record<string, string>> = {
  'ab-client34-brick': 'failure',
  'client34-abort': 'aborted',
  'client34-same-name': 'already-installed',
  'client34-script-fail': 'failure',
  'client34-wrong-type': 'failure',
};

for (const [capture, steps] of captures) {
  test(`a real client is served as it was recorded: ${capture}`, async () => {
    await using server = await startTestServer({ answerNextV2: capture !== 'client34-v1-fallback' });
    const name = steps.find(({ artifact_name }) => artifact_name !== undefined)?.artifact_name ?? '';
    const needed = Math.max(0, ...steps.map(({ range }) => Number(/\d+/.exec(range ?? '')?.[0] ?? 0)));
    await upload(server, { name, content: randomBytes(needed + 1000) });
    const made = await server.request('POST', '/api/management/v1/deployments/deployments', {
      as: 'user',
      // Forced: the stand-in offered whatever the device had.
      json: { name: capture, artifact_name: name, devices: ['dev'], force_installation: true },
    });
    const deployment = made.headers.get('location') ?? '';
    await replay(server, steps, deployment);

    const devices = (await server.request('GET', `${deployment}/devices`, { as: 'user' })).json as {
      status: string;
      log: boolean;
    }[];
    assert.deepEqual(
      devices.map(({ status }) => status),
      [expectedEnds[capture] ?? 'success'],
    );
    assert.equal(
      devices[0]?.log,
      steps.some(({ path }) => path.endsWith('/log')),
    );
    const shown = (await server.request('GET', deployment, { as: 'user' })).json as { status: string };
    assert.equal(shown.status, 'finished');
  });
}

async function replay(server: TestServer, steps: readonly Recorded[], deployment: string): Promise<void> {
  const offer = { id: '', link: '' };
  let ended = false;
  for (const step of steps) {
    if (step.status === 409 && !ended) {
      await server.request('PUT', `${deployment}/status`, { as: 'user', json: { status: 'aborted' } });
      ended = true;
    }
    const answer = await send(server, step, offer);
    const where = `${step.method} ${step.path} ${JSON.stringify(step.body)?.slice(0, 100)}`;
    if (step.status !== undefined) assert.equal(answer.status, otherwise(step, ended), where);
    if (answer.status === 200 && step.path.includes('/next')) {
      const { id, artifact } = answer.json as { id: string; artifact: { source: { uri: string } } };
      Object.assign(offer, { id, link: artifact.source.uri });
    }
    if (step.range !== undefined) {
      const first = Number(/\d+/.exec(step.range)?.[0]);
      assert.match(answer.headers.get('content-range') ?? '', new RegExp(`^bytes ${first}-\\d+/\\d+$`));
    }
    ended ||= /success|failure|already/.test(JSON.stringify(step.body ?? ''));
  }
}

function send(server: TestServer, step: Recorded, offer: { readonly id: string; readonly link: string }) {
  if (step.path === '{link}') {
    // Without a token, as clients do it.
    return server.request('GET', offer.link, {
      headers: step.range === undefined ? {} : { range: step.range },
    });
  }
  return server.request(step.method, step.path.replace('{id}', offer.id), {
    as: 'device:dev',
    ...(step.body === undefined
      ? {}
      : { body: chunked(JSON.stringify(step.body)), headers: { 'content-type': 'application/json' } }),
  });
}

// As Go's client sends it: without a Content-Length.
const chunked = (text: string): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: (controller) => {
      controller.enqueue(Buffer.from(text));
      controller.close();
    },
  });
