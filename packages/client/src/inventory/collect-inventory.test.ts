import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { readIdentityData } from '../identity/identity-data.ts';
import { linuxSystem } from '../system/linux-system.ts';
import { collectInventory } from './collect-inventory.ts';

const directory = await mkdtemp(join(tmpdir(), 'inventory-'));
after(() => rm(directory, { recursive: true }));
const forever = new AbortController().signal;
const log: string[] = [];
const system = linuxSystem({
  log: (level, message) => void log.push(`${level}: ${message}`),
  environment: process.env,
});
const support = join(import.meta.dirname, '..', '..', 'support');

async function scripts(name: string, texts: Readonly<Record<string, string>>, mode = 0o755): Promise<string> {
  const path = join(directory, name);
  await mkdir(path, { recursive: true });
  for (const [file, text] of Object.entries(texts))
    await writeFile(join(path, file), `#!/bin/sh\n${text}\n`, { mode });
  return path;
}

describe('the inventory', () => {
  test('is what the programs print, sorted by name, with lists for repeated names, and what the client knows over it', async () => {
    const path = await scripts('all', {
      'mender-inventory-b': 'echo net=eth0; echo kernel=6.1=x',
      'mender-inventory-a': 'echo net=lo; echo device_type=wrong; echo empty=',
      'other-program': 'echo other=1',
    });
    await scripts('all', { 'mender-inventory-not-executable': 'echo not=1' }, 0o644);
    await mkdir(join(path, 'mender-inventory-directory'));
    const known = { device_type: 'right', mender_client_version: '1' };
    assert.deepEqual(await collectInventory(system, path, known, forever), [
      { name: 'device_type', value: 'right' },
      { name: 'empty', value: '' },
      { name: 'kernel', value: '6.1=x' },
      { name: 'mender_client_version', value: '1' },
      { name: 'net', value: ['lo', 'eth0'] },
    ]);
  });

  test('goes without a program that fails, and says so', async () => {
    const path = await scripts('some', {
      'mender-inventory-good': 'echo a=1',
      'mender-inventory-exit': 'echo b=1; exit 1',
      'mender-inventory-lines': 'echo c=1; echo not a pair',
    });
    assert.deepEqual(await collectInventory(system, path, {}, forever), [{ name: 'a', value: '1' }]);
    assert.match(log.join('\n'), /inventory-exit is left out: it ended with exit code 1/);
    assert.match(log.join('\n'), /inventory-lines is left out: it printed a line that is not key=value/);
  });

  test('fails when every program fails, but not when there is none', async () => {
    const path = await scripts('none', { 'mender-inventory-a': 'exit 1', 'mender-inventory-b': 'exit 2' });
    await assert.rejects(collectInventory(system, path, { a: '1' }, forever), {
      code: 'noInventory',
      message: /all 2/,
    });
    assert.deepEqual(await collectInventory(system, join(directory, 'missing'), { a: '1' }, forever), [
      { name: 'a', value: '1' },
    ]);
  });
});

describe('the programs that come with the client', () => {
  test('tell of the machine this runs on', async () => {
    const attributes = await collectInventory(system, join(support, 'inventory'), {}, forever);
    const names = attributes.map(({ name }) => name);
    for (const expected of ['hostname', 'kernel', 'mem_total_kB'])
      assert.ok(names.includes(expected), names.join());
  });

  test('identify it by the address of its first Ethernet interface', async () => {
    const net = join(directory, 'net');
    for (const [name, index, type, address] of [
      ['wlan9', 1, 801, '00:00:00:00:00:01'],
      ['dummy0', 2, 1, '00:00:00:00:00:02'],
      ['eth1', 12, 1, '00:00:00:00:00:12'],
      ['eth0', 3, 1, '00:00:00:00:00:03'],
    ] as const) {
      await mkdir(join(net, name), { recursive: true });
      await writeFile(join(net, name, 'ifindex'), `${index}\n`);
      await writeFile(join(net, name, 'type'), `${type}\n`);
      await writeFile(join(net, name, 'address'), `${address}\n`);
    }
    const { processes } = linuxSystem({
      log: () => undefined,
      environment: { ...process.env, SYS_CLASS_NET: net },
    });
    const program = join(support, 'identity', 'mender-device-identity');
    assert.equal(await readIdentityData(processes, program, forever), '{"mac":"00:00:00:00:00:03"}');
  });
});
