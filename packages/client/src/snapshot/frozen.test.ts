import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { linuxProcesses } from '../system/linux-processes.ts';
import { freeze } from './frozen.ts';

const signal = new AbortController().signal;

/** A device whose fsfreeze writes down what it was called with. */
async function device(t: TestContext, script = 'exit 0') {
  const directory = await mkdtemp(join(tmpdir(), 'frozen-'));
  t.after(() => rm(directory, { recursive: true }));
  const calls = join(directory, 'calls');
  await writeFile(join(directory, 'fsfreeze'), `#!/bin/sh\necho "$*" >> '${calls}'\n${script}\n`);
  await chmod(join(directory, 'fsfreeze'), 0o755);
  const environment = { PATH: `${directory}:${process.env['PATH'] ?? ''}` };
  const called = async () =>
    ((await readFile(calls, 'utf8').catch(() => '')).trim() || 'nothing').split('\n');
  return {
    environment,
    called,
    needs: { processes: linuxProcesses(environment), environment },
    calledUntil: async (count: number) => {
      for (const until = Date.now() + 10_000; (await called()).length < count && Date.now() < until;)
        await wait(20);
      return called();
    },
  };
}

const frozenAndThawed = ['--freeze /mnt', '--unfreeze /mnt'];

describe('a frozen file system', () => {
  test('is thawed at the end, once', async (t) => {
    const { needs, called } = await device(t);
    const frozen = await freeze('/mnt', needs, signal);
    assert.deepEqual(await called(), ['--freeze /mnt']);
    await frozen.thaw();
    await frozen.thaw();
    assert.deepEqual(await called(), frozenAndThawed);
  });

  test('is thawed when nothing goes on, and whoever works on it is told', async (t) => {
    const { needs, calledUntil } = await device(t);
    const frozen = await freeze('/mnt', { ...needs, silenceMs: 300 }, signal);
    assert.deepEqual(await calledUntil(2), frozenAndThawed);
    if (!frozen.thawed.aborted) await once(frozen.thawed, 'abort');
    assert.match(String(frozen.thawed.reason), /was thawed: what there is of the snapshot is worth nothing/);
    await frozen.thaw();
  });

  test('stays so while the work goes on, however long that takes', async (t) => {
    const { needs, called } = await device(t);
    const frozen = await freeze('/mnt', { ...needs, silenceMs: 1000 }, signal);
    for (let beat = 0; beat < 15; beat++) {
      frozen.beat();
      await wait(100);
    }
    assert.deepEqual(await called(), ['--freeze /mnt']);
    await frozen.thaw();
    assert.deepEqual(await called(), frozenAndThawed);
  });

  test('is thawed when who froze it is killed', async (t) => {
    const { environment, calledUntil } = await device(t);
    const program = `
      const { freeze } = await import(${JSON.stringify(join(import.meta.dirname, 'frozen.ts'))});
      const { linuxProcesses } = await import(${JSON.stringify(join(import.meta.dirname, '../system/linux-processes.ts'))});
      const environment = process.env;
      await freeze('/mnt', { processes: linuxProcesses(environment), environment }, new AbortController().signal);
      process.stdout.write('frozen');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    assert.deepEqual(await calledUntil(2), frozenAndThawed);
  });

  test('of somebody else is not thawed', async (t) => {
    const { needs, called } = await device(t, 'echo "freeze failed: Device or resource busy" >&2; exit 1');
    await assert.rejects(freeze('/mnt', needs, signal), {
      code: 'noSnapshot',
      message: /Cannot freeze the file system at \/mnt.*Device or resource busy.*fsfreeze of util-linux/,
    });
    assert.deepEqual(await called(), ['--freeze /mnt']);
  });

  test('that cannot be thawed is told of, with what to do', async (t) => {
    const { needs } = await device(t, '[ "$1" = --freeze ] || { echo stuck >&2; exit 1; }');
    const frozen = await freeze('/mnt', needs, signal);
    await assert.rejects(frozen.thaw(), /Cannot thaw .* \(stuck\)\. .* fsfreeze --unfreeze \/mnt/);
  });

  test('is not to be had without the program', async (t) => {
    const { needs } = await device(t);
    const environment = { PATH: '/nowhere' };
    await assert.rejects(
      freeze('/mnt', { ...needs, processes: linuxProcesses(environment), environment }, signal),
      {
        code: 'noSnapshot',
        message: /remount it read-only first/,
      },
    );
  });
});
