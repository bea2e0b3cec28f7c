import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import type { ApiClient } from '@tandem/api';
import { followChanges, type FeedState } from './change-feed.ts';
import { topics, type Topic } from './stale-by-change.ts';

/** A server whose stream the test writes, and what the feed made of it. */
function connect({ hasAsked = true, isHeld = false, answers = () => Promise.resolve() } = {}) {
  const asked: (string | undefined)[] = [];
  const stale: (readonly Topic[])[] = [];
  const states: FeedState[] = [];
  const left = new AbortController();
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  let isUp = true;
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const call = async (
    _endpoint: unknown,
    options: { headers?: Record<string, string>; signal: AbortSignal },
  ) => {
    asked.push(options.headers?.['last-event-id']);
    if (!isUp) throw new Error('connection refused');
    if (isHeld) await held;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        stream = controller;
        options.signal.addEventListener('abort', () => controller.error(options.signal.reason));
      },
    });
    return { status: 200, headers: {}, body };
  };
  const ended = followChanges({
    // The feed asks for one endpoint only.
    call: call as unknown as ApiClient,
    onStale: (some) => {
      stale.push([...some]);
      return answers();
    },
    onState: (state) => states.push(state),
    hasAsked,
    signal: left.signal,
  });
  return {
    asked,
    stale,
    states,
    send: async (text: string) => {
      stream?.enqueue(new TextEncoder().encode(text));
      await settled();
    },
    breakOff: async () => {
      stream?.close();
      await settled();
    },
    letGo,
    down: () => (isUp = false),
    up: () => (isUp = true),
    leave: async () => {
      left.abort();
      await ended;
    },
  };
}

/** What has been started without a timer has come to its end. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms);
  await settled();
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
});

test('a change is told at once, and a burst of changes after it costs one round of questions', async () => {
  const feed = connect();
  await settled();
  await pass(20);
  assert.deepEqual(feed.states, ['connecting', 'live']);
  assert.deepEqual(feed.stale, [topics], 'the first look makes all stale');
  await pass(300);
  await feed.send('id: 0\nevent: user.created\n\n');
  await pass(20);
  assert.deepEqual(feed.stale.slice(1), [['users']]);
  for (let id = 1; id <= 1000; id += 1) await feed.send(`id: ${id}\nevent: device-deployment.changed\n\n`);
  await feed.send('id: 1001\nevent: artifact.uploaded\n\n');
  assert.equal(feed.stale.length, 2);
  await pass(300);
  assert.deepEqual(feed.stale.slice(2), [['deployments', 'releases']]);
  await feed.leave();
});

test('a page that waited for the stream asks for nothing twice', async () => {
  const feed = connect({ hasAsked: false });
  await settled();
  await pass(300);
  assert.deepEqual(feed.states, ['connecting', 'live']);
  assert.deepEqual(feed.stale, []);
  await feed.leave();
});

test('a page that lost its patience with the stream asks again once it stands', async () => {
  const feed = connect({ hasAsked: false, isHeld: true });
  await settled();
  await pass(500);
  assert.deepEqual(feed.states, ['connecting', 'polling'], 'the page is shown without it');
  assert.deepEqual(feed.stale, []);
  feed.letGo();
  await settled();
  await pass(20);
  assert.equal(feed.states.at(-1), 'live');
  assert.deepEqual(feed.stale, [topics]);
  await feed.leave();
});

test('while the server is still answering it is not asked for the same again', async () => {
  let answer: () => void = () => undefined;
  const feed = connect({ hasAsked: false, answers: () => new Promise((resolve) => (answer = resolve)) });
  await settled();
  await feed.send('id: 1\nevent: user.created\n\n');
  await pass(20);
  for (let id = 2; id <= 10; id += 1) {
    await feed.send(`id: ${id}\nevent: user.created\n\n`);
    await pass(400);
  }
  assert.deepEqual(feed.stale, [['users']]);
  answer();
  await settled();
  await pass(300);
  assert.deepEqual(feed.stale, [['users'], ['users']], 'what changed meanwhile is not forgotten');
  await feed.leave();
});

test('a connection that broke goes on after the last change that was seen', async () => {
  const feed = connect();
  await settled();
  await feed.send('id: 17\nevent: user.created\n\n');
  await feed.breakOff();
  assert.deepEqual(feed.states, ['connecting', 'live', 'polling']);
  await pass(5000);
  assert.deepEqual(feed.asked, [undefined, '17']);
  assert.equal(feed.states.at(-1), 'live');
  await feed.leave();
});

test('while there is no stream all is asked for again every five seconds', async () => {
  const feed = connect();
  feed.down();
  await feed.breakOff();
  await pass(300);
  const before = feed.stale.length;
  for (let round = 1; round <= 3; round += 1) {
    await pass(5000);
    await pass(300);
    assert.deepEqual(feed.stale.at(-1), topics);
    assert.equal(feed.stale.length, before + round);
  }
  assert.equal(feed.states.at(-1), 'polling');
  feed.up();
  await pass(5000);
  assert.equal(feed.states.at(-1), 'live');
  await feed.leave();
});

test('a stream that says nothing for too long counts as broken', async () => {
  const feed = connect();
  await settled();
  await pass(39_000);
  await feed.send(': still there\n\n');
  await pass(39_000);
  assert.equal(feed.states.at(-1), 'live');
  await pass(1001);
  assert.equal(feed.states.at(-1), 'polling');
  await feed.leave();
});

test('who leaves is told nothing more, and nothing is asked for them', async () => {
  const feed = connect();
  await settled();
  await feed.leave();
  await pass(60_000);
  assert.deepEqual(feed.asked, [undefined]);
  assert.deepEqual(feed.stale, []);
});
