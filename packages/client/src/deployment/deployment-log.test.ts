import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { logMessages, openDeploymentLog } from './deployment-log.ts';

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'deployment-log-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}
const now = () => Date.UTC(2026, 0, 2, 3, 4, 5);

describe("a deployment's log", () => {
  test('is a JSON object a line, and goes on after a reboot', async (t) => {
    const path = await directory(t);
    const before = await openDeploymentLog(path, 'id-1', 'new', now);
    before.log('info', 'before');
    await before.sync();
    const log = await openDeploymentLog(path, 'id-1', 'continued', now);
    log.log('error', 'after "quotes"');
    log.log('debug', 'not for the server');
    await log.sync();
    assert.equal(
      await readFile(join(path, 'deployments.0000.id-1.log'), 'utf8'),
      '{"timestamp":"2026-01-02T03:04:05.000Z","level":"info","message":"before"}\n' +
        '{"timestamp":"2026-01-02T03:04:05.000Z","level":"error","message":"after \\"quotes\\""}\n',
    );
    assert.deepEqual(
      (await log.messages()).map(({ message }) => message),
      ['before', 'after "quotes"'],
    );
  });

  test('moves older ones up, and five are kept', async (t) => {
    const path = await directory(t);
    await writeFile(join(path, 'unrelated.log'), '');
    for (let n = 1; n <= 7; n++) {
      const log = await openDeploymentLog(path, `id-${n}`, 'new', now);
      log.log('info', `${n}`);
      await log.sync();
    }
    assert.deepEqual((await readdir(path)).toSorted(), [
      'deployments.0000.id-7.log',
      'deployments.0001.id-6.log',
      'deployments.0002.id-5.log',
      'deployments.0003.id-4.log',
      'deployments.0004.id-3.log',
      'unrelated.log',
    ]);
    assert.match(await readFile(join(path, 'deployments.0004.id-3.log'), 'utf8'), /"3"/);
  });

  test('cannot be put elsewhere by a hostile id', async (t) => {
    const path = await directory(t);
    await openDeploymentLog(path, '../../etc/x', 'new', now);
    assert.deepEqual(await readdir(path), ['deployments.0000.______etc_x.log']);
  });

  test('loses its oldest entries beyond the limit of the server, and says so', () => {
    const entry = (n: number) =>
      JSON.stringify({
        timestamp: '2026-01-01T00:00:00Z',
        level: 'info',
        message: `${n} ${'x'.repeat(1000)}`,
      });
    const lines = Array.from({ length: 1500 }, (_, n) => entry(n));
    const messages = logMessages({ text: `${lines.join('\n')}\n`, isCut: false });
    assert.ok(Buffer.byteLength(JSON.stringify({ messages })) <= 1_000_000 - 256);
    assert.ok(messages.length > 900);
    assert.match(messages[0]?.message ?? '', /^\(THE ORIGINAL LOGS WERE TOO BIG/);
    assert.equal(messages[0]?.level, 'warning');
    assert.match(messages.at(-1)?.message ?? '', /^1499 /);
  });

  test('has lines that are no entries replaced, and says so', () => {
    const good = '{"timestamp":"2026-01-01T00:00:00Z","level":"info","message":"m"}';
    const messages = logMessages({ text: `${good}\n{"timestamp":"20\n[]\n"x"\n${good}\n`, isCut: false });
    assert.deepEqual(
      messages.map(({ message }) => message),
      [
        '(THE ORIGINAL LOGS CONTAINED INVALID ENTRIES)',
        'm',
        ...Array<string>(3).fill('(CORRUPTED LOG DATA)'),
        'm',
      ],
    );
  });

  test('that is empty is an empty list', () => {
    assert.deepEqual(logMessages({ text: '', isCut: false }), []);
  });
});
