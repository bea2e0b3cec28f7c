import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { searchLimits, type SearchLimits } from './search-limits.ts';
import { searchQueries, type SearchQueries } from './search-queries.ts';

const endless = `
  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE still_wanted()) SELECT max(n) FROM numbers`;
const ask = (queries: SearchQueries, sql: string, ...parameters: (string | number)[]) =>
  queries.run({ sql, parameters });
const one = [{ one: 1 }];

describe('queries off the main thread', () => {
  let directory: string;
  let path: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tandem-search-'));
    path = join(directory, 'test.sqlite');
    const sqlite = new DatabaseSync(path);
    sqlite.exec(
      "PRAGMA journal_mode = WAL; CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('ox'), ('cow')",
    );
    sqlite.close();
  });
  after(() => rm(directory, { recursive: true }));

  const open = (limits: Partial<SearchLimits> = {}) => {
    const queries = searchQueries({ path, busyTimeoutMs: 1000 }, { ...searchLimits, ...limits });
    return { ...queries, [Symbol.asyncDispose]: queries.close };
  };

  it('answer with rows, and find by patterns', async () => {
    await using queries = open();
    assert.deepEqual(await ask(queries, 'SELECT word FROM words WHERE word REGEXP ?', '^o|z'), [
      { word: 'ox' },
    ]);
  });

  it('cannot write', async () => {
    await using queries = open();
    await assert.rejects(ask(queries, "INSERT INTO words VALUES ('ewe')"), {
      code: 'failed',
      message: /readonly database/,
    });
    assert.deepEqual(await ask(queries, 'SELECT 1 AS one'), one, 'and go on after an error');
  });

  it('do not wait for one that takes long, but for too many of those', async () => {
    await using queries = open({ atOnce: 2, runMs: 60_000 });
    const slow = [ask(queries, endless)];
    assert.deepEqual(await ask(queries, 'SELECT 1 AS one'), one);
    slow.push(ask(queries, endless));
    const ended = Promise.all(slow.map((answer) => assert.rejects(answer, { code: 'closed' })));
    const waiting = ask(queries, 'SELECT 1');
    const refused = assert.rejects(waiting, { code: 'closed' });
    assert.equal(await Promise.race([waiting.then(() => 'answered'), wait(300, 'waiting')]), 'waiting');
    await queries.close();
    await Promise.all([ended, refused]);
  });

  it('leave the processor to the rest of the server', async () => {
    const nice = async (thread: string) =>
      Number((await readFile(`/proc/self/task/${thread}/stat`, 'utf8')).split(') ')[1]?.split(' ')[16]);
    await using queries = open();
    const before = new Set(await readdir('/proc/self/task'));
    await ask(queries, 'SELECT 1');
    const started = (await readdir('/proc/self/task')).filter((thread) => !before.has(thread));
    const own = await nice(String(process.pid));
    assert.ok((await Promise.all(started.map(nice))).some((one) => one > own));
    assert.equal(await nice(String(process.pid)), own);
  });

  it('end when their time is up, whether a pattern takes it or the rows do; the next is answered', async () => {
    await using queries = open({ atOnce: 1, runMs: 200 });
    for (const sql of [endless, "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' REGEXP '^(a+)+$'"]) {
      const slow = assert.rejects(ask(queries, sql), { code: 'tookTooLong', message: /longer than 200 ms/ });
      const next = ask(queries, 'SELECT 1 AS one');
      await slow;
      assert.deepEqual(await next, one);
    }
  });

  it('are refused when too many wait, and when they have waited too long', async () => {
    await using queries = open({ atOnce: 1, runMs: 60_000, waitMs: 300, maxWaiting: 2 });
    await ask(queries, 'SELECT 1');
    const slow = assert.rejects(ask(queries, endless), { code: 'closed' });
    const from = performance.now();
    const waiting = [ask(queries, 'SELECT 1'), ask(queries, 'SELECT 1')].map((answer) =>
      assert.rejects(answer, { code: 'tooBusy' }),
    );
    await assert.rejects(ask(queries, 'SELECT 1'), { code: 'tooBusy' });
    await Promise.all(waiting);
    assert.ok(performance.now() - from >= 250, 'those in the line had their time');
    await queries.close();
    await slow;
  });

  it('are dropped when nobody waits for them any more, and make room for others', async () => {
    await using queries = open({ atOnce: 1, runMs: 60_000, waitMs: 60_000, maxWaiting: 1 });
    await ask(queries, 'SELECT 1');
    const slow = assert.rejects(ask(queries, endless), { code: 'closed' });
    const caller = new AbortController();
    const dropped = assert.rejects(queries.run({ sql: endless, parameters: [] }, caller.signal), {
      code: 'callerGone',
    });
    await assert.rejects(ask(queries, 'SELECT 1'), { code: 'tooBusy' });
    caller.abort();
    await dropped;
    const next = assert.rejects(ask(queries, 'SELECT 1'), { code: 'closed' });
    await assert.rejects(queries.run({ sql: 'SELECT 1', parameters: [] }, caller.signal), {
      code: 'callerGone',
    });
    await queries.close();
    await Promise.all([slow, next]);
  });

  it('end with the database, at once and whatever is under way', async () => {
    const queries = open({ runMs: 60_000, waitMs: 60_000 });
    await ask(queries, 'SELECT 1');
    const asked = [ask(queries, endless), ask(queries, 'SELECT 1')];
    const answers = Promise.all(asked.map((answer) => assert.rejects(answer, { code: 'closed' })));
    await queries.close();
    await answers;
    await assert.rejects(ask(queries, 'SELECT 1'), { code: 'closed' });
    await queries.close();
  });

  it('say so when their thread cannot be started, and try again', async () => {
    const late = join(directory, 'late.sqlite');
    const queries = searchQueries({ path: late, busyTimeoutMs: 1000 }, searchLimits);
    await assert.rejects(ask(queries, 'SELECT 1'), { code: 'failed', message: /thread that searches/ });
    new DatabaseSync(late).close();
    assert.deepEqual(await ask(queries, 'SELECT 1 AS one'), one);
    await queries.close();
  });
});
