import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { linuxSystem, systemClock } from './linux-system.ts';
import { logLines } from './log-lines.ts';

const directory = await mkdtemp(join(tmpdir(), 'linux-system-'));
after(() => rm(directory, { recursive: true }));
const environment = { PATH: `${directory}:${process.env['PATH']}` };
const system = linuxSystem({ log: () => undefined, environment, killGraceMs: 300 });
const { files, processes } = system;
const forever = new AbortController().signal;
const sh = (
  script: string,
  options: { timeoutMs?: number; signal?: AbortSignal; maxOutputBytes?: number } = {},
) => processes.run('sh', ['-c', script], { timeoutMs: 10_000, signal: forever, ...options });

/** A zombie is dead; where no init collects it, it is still listed. */
const alive = async (pid: number) => {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return status !== undefined && !/\) Z /.test(status);
};

describe('files', () => {
  test('are written whole with their mode, replacing what was there, and leave nothing beside', async () => {
    const path = join(directory, 'files', 'deep', 'state.json');
    await files.makeDirectoryDurably(join(directory, 'files', 'deep'));
    await files.writeDurably(path, 'one');
    await files.writeDurably(path, Buffer.from('two'), 0o755);
    assert.equal(await readFile(path, 'utf8'), 'two');
    assert.equal((await stat(path)).mode & 0o777, 0o755);
    assert.deepEqual(await readdir(join(directory, 'files', 'deep')), ['state.json']);
    await files.removeDurably(join(directory, 'files'));
    await files.removeDurably(join(directory, 'files'));
    assert.equal(await files.list(join(directory, 'files')), undefined);
  });

  test('that cannot be replaced leave no temporary file behind', async () => {
    await files.makeDirectoryDurably(join(directory, 'taken', 'name', 'full'));
    await assert.rejects(files.writeDurably(join(directory, 'taken', 'name'), 'x'));
    assert.deepEqual(await readdir(join(directory, 'taken')), ['name']);
  });

  test('are read up to a bound, also those of /proc, and a missing one is no error', async () => {
    const path = join(directory, 'sized');
    await writeFile(path, 'x'.repeat(100));
    assert.equal((await files.read(path, 100))?.length, 100);
    await assert.rejects(files.read(path, 99), /sized: it is larger than 99 bytes/);
    assert.match(Buffer.from((await files.read('/proc/self/status', 65_536)) ?? '').toString(), /^Name:/);
    assert.equal(await files.read(join(directory, 'missing'), 10), undefined);
    assert.equal(await files.kind(join(directory, 'missing')), undefined);
    assert.deepEqual(await files.kind(path), { kind: 'file', executable: false });
  });
});

describe('processes', () => {
  test('answer with exit code and both outputs, given input and environment', async () => {
    const result = await processes.run('sh', ['-c', 'cat; echo "$ADDED" >&2; exit 7'], {
      input: 'to be read',
      environment: { ADDED: 'yes' },
      directory,
      timeoutMs: 10_000,
      signal: forever,
    });
    assert.deepEqual(result, {
      exitCode: 7,
      signal: undefined,
      timedOut: false,
      stdout: 'to be read',
      stderr: 'yes\n',
    });
  });

  test('read slowly what comes in pieces of memory that is used again', async () => {
    const input = (async function* () {
      const piece = Buffer.alloc(1000);
      for (let number = 0; number < 300; number += 1) yield await Promise.resolve(piece.fill(number % 256));
    })();
    const slowly = ['-c', 'sleep 0.2; sha256sum'];
    const { stdout } = await processes.run('sh', slowly, { input, timeoutMs: 10_000, signal: forever });
    const whole = Buffer.concat(Array.from({ length: 300 }, (_, number) => Buffer.alloc(1000, number % 256)));
    assert.equal(stdout.split(' ')[0], createHash('sha256').update(whole).digest('hex'));
  });

  test('may write more than is kept without being held up', async () => {
    const result = await sh('head -c 5000000 /dev/zero | tr "\\0" x; echo end >&2', { maxOutputBytes: 1000 });
    assert.deepEqual([result.exitCode, result.stdout, result.stderr], [0, 'x'.repeat(1000), 'end\n']);
  });

  test('that take too long are ended with all their children, even those that ignore SIGTERM', async () => {
    const began = performance.now();
    const result = await sh('trap "" TERM; sh -c \'trap "" TERM; echo $$; sleep 30\' & wait', {
      timeoutMs: 200,
    });
    assert.equal(result.timedOut, true);
    assert.equal(result.signal, 'SIGKILL');
    assert.ok(performance.now() - began < 5_000);
    await sleep(50);
    assert.equal(await alive(Number(result.stdout)), false, 'the grandchild is gone');
  });

  test('are ended when the work is called off, and say so only when they are gone', async () => {
    const controller = new AbortController();
    const reason = new Error('called off');
    const running = sh(
      'echo $$ > "$0.pid"; trap "sleep 0.1; exit 3" TERM; sleep 30 & wait'.replace(
        '$0',
        join(directory, 'off'),
      ),
      {
        signal: controller.signal,
      },
    );
    setTimeout(() => controller.abort(reason), 150);
    await assert.rejects(running, reason);
    assert.equal(await alive(Number(await readFile(join(directory, 'off.pid'), 'utf8'))), false);
  });

  test('that leave a child behind holding the output are not waited for', async () => {
    const began = performance.now();
    const result = await sh('sleep 3 & echo done');
    assert.equal(result.stdout, 'done\n');
    assert.ok(performance.now() - began < 2_500);
  });

  test('can be ended by hand while they run', async () => {
    const started = processes.start('sleep', ['30'], { timeoutMs: 60_000, signal: forever });
    started.kill();
    assert.equal((await started.exited).signal, 'SIGTERM');
    started.kill();
  });

  test('that are not there are named', async () => {
    const options = { timeoutMs: 1000, signal: forever };
    await assert.rejects(processes.run('no-such-program', [], options), /Cannot start no-such-program/);
  });
});

describe('reboot', () => {
  test('runs the program of that name, and a refusal is an error', async () => {
    const program = join(directory, 'reboot');
    await writeFile(program, `#!/bin/sh\necho asked >> ${directory}/reboots\n`);
    await chmod(program, 0o755);
    await system.reboot(forever);
    assert.equal(await readFile(join(directory, 'reboots'), 'utf8'), 'asked\n');
    await writeFile(program, '#!/bin/sh\nexit 5\n');
    await assert.rejects(system.reboot(forever), /"reboot" ended with exit code 5/);
    await rm(program);
  });
});

test('a wait ends early when it is called off, with the reason given', async () => {
  const reason = new Error('enough');
  await assert.rejects(systemClock.sleep(60_000, AbortSignal.abort(reason)), reason);
  await systemClock.sleep(1, forever);
});

test('a log has one line a record, whatever the message, and leaves out what is below its level', () => {
  const lines: string[] = [];
  const log = logLines(
    'warning',
    (line) => lines.push(line),
    () => 0,
  );
  log('info', 'left out');
  log('error', 'first\n"second"');
  assert.deepEqual(lines, [
    'record_id=1 severity=error time="1970-01-01T00:00:00.000Z" name="Global" msg="first\\n\\"second\\""\n',
  ]);
});
