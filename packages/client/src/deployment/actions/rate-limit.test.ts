import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rateLimit } from './rate-limit.ts';

const forever = new AbortController().signal;

/** Time passes by waiting alone. */
function waitingClock() {
  const clock = {
    time: 1_000_000,
    now: () => clock.time,
    sleep: async (ms: number, signal: AbortSignal) => {
      signal.throwIfAborted();
      clock.time += ms;
    },
  };
  return clock;
}

async function* pieces(count: number, bytes: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n++) yield await Promise.resolve(new Uint8Array(bytes));
}

async function read(content: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const piece of content) length += piece.length;
  return length;
}

test('a limited payload comes whole, and takes the time its limit says', async () => {
  const clock = waitingClock();
  const began = clock.time;
  assert.equal(await read(rateLimit(clock, 10_000)(pieces(101, 1000), forever)), 101_000);
  assert.equal(clock.time - began, 10_000);
});

test('the files of a payload share the limit', async () => {
  const clock = waitingClock();
  const began = clock.time;
  const limit = rateLimit(clock, 1000);
  await read(limit(pieces(1, 5000), forever));
  await read(limit(pieces(1, 1), forever));
  assert.equal(clock.time - began, 5000);
});

test('time in which nothing came is not caught up on', async () => {
  const clock = waitingClock();
  const limit = rateLimit(clock, 1000);
  await read(limit(pieces(1, 1000), forever));
  clock.time += 3_600_000;
  const began = clock.time;
  await read(limit(pieces(3, 1000), forever));
  assert.equal(clock.time - began, 2000);
});

test('a clock that is set back does not stop it, and an abort ends the wait', async () => {
  const clock = waitingClock();
  const limit = rateLimit(clock, 1000);
  await read(limit(pieces(1, 1000), forever));
  clock.time = 0;
  await read(limit(pieces(1, 1), forever));
  assert.ok(clock.time <= 20 * 60_000, `${clock.time} ms`);
  const calledOff = AbortSignal.abort(new Error('called off'));
  await assert.rejects(read(limit(pieces(2, 9000), calledOff)), /called off/);
});

test('without a limit the content is handed on as it is', () => {
  const content = pieces(1, 1);
  assert.equal(rateLimit(waitingClock(), undefined)(content, forever), content);
});
