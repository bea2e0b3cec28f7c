import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildBundle } from '../../build-bundle.ts';
import { startArtifactServer } from './artifact-server.ts';
import { makeVirtualDevice } from './virtual-device.ts';

test(
  'the daemon polls on SIGUSR1, looks at its inventory on SIGUSR2, and ends on SIGTERM',
  { timeout: 60_000 },
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'signals-'));
    t.after(() => rm(directory, { recursive: true }));
    const program = join(directory, 'mender-update.mjs');
    await buildBundle(program);
    const server = await startArtifactServer(Buffer.alloc(0));
    t.after(server.close);
    const { seen } = server;
    // Nothing is offered to a device that has done what was asked of it.
    seen.statuses.push('success');
    const anHour = 3600;
    const device = await makeVirtualDevice({
      home: join(directory, 'device'),
      program,
      serverUrl: server.url,
      active: Buffer.alloc(4096),
      inactive: Buffer.alloc(4096),
      settings: { UpdatePollIntervalSeconds: anHour, InventoryPollIntervalSeconds: anHour },
    });
    const signal = async (name: 'SIGUSR1' | 'SIGUSR2') =>
      process.kill(Number(await readFile(device.at('client.pid'), 'utf8')), name);

    let asked = 0;
    let firstInventory = '';
    const enough = (log: string) => {
      if (asked === 0 && seen.polls === 1 && seen.inventory !== '') {
        asked = 1;
        firstInventory = seen.inventory;
        void signal('SIGUSR1');
      } else if (asked === 1 && seen.polls === 2) {
        asked = 2;
        void signal('SIGUSR2');
      }
      return log.includes('Inventory data unchanged, not submitting');
    };
    const { exitCode, log } = await device.bootUntil(enough, 'SIGTERM');
    assert.equal(exitCode, 0, log);
    assert.equal(seen.polls, 2);
    const known = JSON.parse(firstInventory) as { name: string; value: unknown }[];
    const compressions = known.find(({ name }) => name === 'artifact_compressions')?.value;
    assert.ok(Array.isArray(compressions) && compressions.includes('gzip') && compressions.includes('none'));
  },
);
