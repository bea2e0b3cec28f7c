import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clock } from '../system/system.ts';
import { residentSchedule } from './schedule.ts';

/** A clock on which sleeping moves the time. */
function clockByHand(): Clock & { at: number } {
  const clock = {
    at: Date.UTC(2030, 0, 1),
    now: () => clock.at,
    sleep: async (ms: number, signal: AbortSignal) => {
      signal.throwIfAborted();
      clock.at += ms;
    },
  };
  return clock;
}

const intervals = {
  updatePollIntervalMs: 1_800_000,
  inventoryPollIntervalMs: 28_800_000,
  retryPollIntervalMs: 300_000,
  retryPollCount: 0,
};
const { signal } = new AbortController();

describe('the schedule of a resident client', () => {
  test('asks soon when the clock was set back by years, instead of waiting for them', async () => {
    const clock = clockByHand();
    const schedule = residentSchedule(intervals, clock);
    for (let i = 0; i < 2; i++) {
      const work = await schedule.nextWork(signal);
      assert.ok(work !== 'stop');
      schedule.done(work);
    }
    clock.at -= 4 * 365 * 24 * 3_600_000;
    const setBack = clock.at;
    await schedule.nextWork(signal);
    assert.ok(clock.at - setBack <= intervals.inventoryPollIntervalMs, `${clock.at - setBack} ms later`);
  });

  test('asks again after the work under way when told to meanwhile, also when that failed', async () => {
    const clock = clockByHand();
    const start = clock.at;
    const schedule = residentSchedule(intervals, clock);
    assert.equal(await schedule.nextWork(signal), 'inventoryPoll');
    schedule.now('inventoryPoll');
    schedule.done('inventoryPoll');
    assert.equal(await schedule.nextWork(signal), 'inventoryPoll');
    schedule.done('inventoryPoll');
    assert.equal(await schedule.nextWork(signal), 'deploymentPoll');
    schedule.now('deploymentPoll');
    schedule.failed('deploymentPoll', 60_000);
    assert.equal(await schedule.nextWork(signal), 'deploymentPoll');
    assert.equal(clock.at, start);
    schedule.done('deploymentPoll');
    await schedule.nextWork(signal);
    assert.equal(clock.at - start, intervals.updatePollIntervalMs);
  });

  test('has both due at the start, then each at its interval', async () => {
    const clock = clockByHand();
    const start = clock.at;
    const schedule = residentSchedule(intervals, clock);
    const seen: [string, number][] = [];
    for (let i = 0; i < 18; i++) {
      const work = await schedule.nextWork(signal);
      assert.ok(work !== 'stop');
      seen.push([work, (clock.at - start) / 1000]);
      schedule.done(work);
    }
    assert.deepEqual(seen.slice(0, 4), [
      ['inventoryPoll', 0],
      ['deploymentPoll', 0],
      ['deploymentPoll', 1800],
      ['deploymentPoll', 3600],
    ]);
    assert.deepEqual(
      seen
        .slice(-2)
        .map(([work]) => work)
        .toSorted(),
      ['deploymentPoll', 'inventoryPoll'],
    );
  });

  test('tries again sooner after a failure, and when the server says', async () => {
    const clock = clockByHand();
    const schedule = residentSchedule(intervals, clock);
    schedule.done('inventoryPoll');
    const waits: number[] = [];
    for (const retryAfterMs of [undefined, undefined, undefined, undefined, 7000]) {
      const before = clock.at;
      await schedule.nextWork(signal);
      waits.push((clock.at - before) / 1000);
      schedule.failed('deploymentPoll', retryAfterMs);
    }
    const before = clock.at;
    await schedule.nextWork(signal);
    assert.deepEqual([...waits, (clock.at - before) / 1000], [0, 60, 60, 60, 120, 7]);
  });

  test('is woken by a signal, and ended by an abort', async () => {
    const clock: Clock = {
      now: () => Date.now(),
      sleep: (_ms, stop) =>
        new Promise((_resolve, reject) => stop.addEventListener('abort', () => reject(stop.reason))),
    };
    const schedule = residentSchedule(intervals, clock);
    schedule.done('inventoryPoll');
    schedule.done('deploymentPoll');
    const next = schedule.nextWork(signal);
    schedule.now('deploymentPoll');
    assert.equal(await next, 'deploymentPoll');
    schedule.done('deploymentPoll');
    const stop = new AbortController();
    const never = schedule.nextWork(stop.signal);
    stop.abort(new Error('SIGTERM'));
    await assert.rejects(never, /SIGTERM/);
  });
});
