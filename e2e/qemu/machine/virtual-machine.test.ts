import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startVirtualMachine } from './virtual-machine.ts';

const directory = await mkdtemp(join(tmpdir(), 'tandem-qemu-'));
after(() => rm(directory, { recursive: true }));

const emptyDisk = async (): Promise<string> => {
  const path = join(directory, 'empty.img');
  await writeFile(path, '');
  await truncate(path, 8 << 20);
  return path;
};

test('a machine is watched line by line, typed to, and gone when its power is cut', async () => {
  await using machine = await startVirtualMachine({
    kind: 'x86-64',
    disk: { path: await emptyDisk(), format: 'raw' },
  });
  // Nothing to boot: the firmware ends in its shell, whose prompt has no end of line.
  await machine.console.waitFor(/UEFI Interactive Shell/, { limitMs: 60_000 });
  await machine.console.waitFor(/^Press ESC/, { limitMs: 60_000 });
  machine.console.send('\x1b');
  await machine.console.waitFor(/^Shell> /, { limitMs: 60_000 });
  const before = machine.console.position();
  machine.console.send('echo typed%cwd%here\r');
  await machine.console.waitFor(/^typedhere/, { limitMs: 60_000, after: before });
  await assert.rejects(machine.console.waitFor(/never said/, { limitMs: 200 }), /0\.2 s went by.*\n.*\|/s);
  const waiting = assert.rejects(
    machine.console.waitFor(/never said/, { limitMs: 60_000 }),
    /the machine ended/,
  );
  await machine.cutPower();
  await waiting;
});

test('a machine that is reset starts again, and is typed to as before', async () => {
  await using machine = await startVirtualMachine({
    kind: 'x86-64',
    disk: { path: await emptyDisk(), format: 'raw' },
  });
  const shellAfter = async (after: number): Promise<number> => {
    const { next } = await machine.console.waitFor(/Press ESC/, { limitMs: 60_000, after });
    machine.console.send('\x1b');
    return (await machine.console.waitFor(/^Shell> /, { limitMs: 60_000, after: next })).next;
  };
  const first = await shellAfter(0);
  machine.console.send('reset\r');
  const second = await shellAfter(first);
  machine.console.send('reset -s\r');
  // Off is not a reset.
  await assert.rejects(
    machine.console.waitFor(/UEFI Interactive Shell/, { limitMs: 60_000, after: second }),
    /the machine ended/,
  );
});

test('a machine that cannot be started says why', async () => {
  await assert.rejects(
    startVirtualMachine({ kind: 'x86-64', disk: { path: join(directory, 'missing.img'), format: 'raw' } }),
    /QEMU did not start: .*missing\.img/,
  );
});
