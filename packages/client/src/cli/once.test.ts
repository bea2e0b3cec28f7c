import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { moduleImage, rootfsImage, writeArtifactFile, type PayloadDescription } from '@tandem/artifact';
import { buildBundle } from '../../build-bundle.ts';
import { startTestBus } from '../d-bus/test-bus.ts';
import { startArtifactServer } from './artifact-server.ts';
import { makeVirtualDevice, processesOf } from './virtual-device.ts';

/*
 * The client as a timer starts it, as real processes: it does what there is to do and ends, and between two runs no process of it is
 * there that could take memory.
 */
const directory = await mkdtemp(join(tmpdir(), 'once-'));
after(() => rm(directory, { recursive: true }));
const program = join(directory, 'mender-update.mjs');
const image = randomBytes(300_000);
let artifacts: Readonly<Record<'rootfs' | 'module', Buffer>>;

before(async () => {
  await buildBundle(program);
  const file = { path: join(directory, 'image') };
  await writeFile(file.path, image);
  const artifactName = 'version-2';
  const pack = async (payload: PayloadDescription) => {
    const path = join(directory, 'version-2.mender');
    const depends = { deviceTypes: ['virtual'] };
    await writeArtifactFile({ artifactName, depends, payload }, path, { compression: 'gzip' });
    return readFile(path);
  };
  artifacts = {
    rootfs: await pack(rootfsImage({ artifactName, image: file })),
    module: await pack(moduleImage({ artifactName, type: 'slow', files: [file] })),
  };
});

async function site(t: TestContext, name: string, artifact: Buffer, busAddress?: string) {
  const server = await startArtifactServer(artifact);
  t.after(server.close);
  const home = join(directory, name);
  const device = await makeVirtualDevice({
    home,
    program,
    serverUrl: server.url,
    active: Buffer.alloc(400_000, 'version 1 '),
    inactive: Buffer.alloc(400_000),
    ...(busAddress === undefined
      ? {}
      : {
          settings: { DBus: { Enabled: true } },
          environment: { DBUS_SYSTEM_BUS_ADDRESS: busAddress },
        }),
  });
  return { ...device, server, processes: () => processesOf(home) };
}

describe('a client that runs once', () => {
  test('installs and reboots, commits in its next run, has nothing to do in the one after, and is gone each time', async (t) => {
    const { bootOnce, processes, server, partitions } = await site(t, 'updated', artifacts.rootfs);
    const rebooted = await bootOnce();
    assert.equal(rebooted.signal, 'SIGKILL', rebooted.log);
    assert.deepEqual(await processes(), []);
    assert.deepEqual((await readFile(partitions[3])).subarray(0, image.length), image);

    const committed = await bootOnce();
    assert.equal(committed.exitCode, 0, committed.log);
    assert.deepEqual(await processes(), []);
    assert.equal(server.seen.statuses.at(-1), 'success');
    assert.match(server.seen.inventory, /version-2/);

    const { polls } = server.seen;
    const idle = await bootOnce();
    assert.equal(idle.exitCode, 0, idle.log);
    assert.deepEqual(await processes(), []);
    assert.equal(server.seen.polls, polls + 1);
  });

  test('leaves no connection to the bus that would keep it', async (t) => {
    const bus = await startTestBus(t);
    const { bootOnce, processes, server } = await site(t, 'on-the-bus', artifacts.rootfs, bus.address);
    server.seen.statuses.push('success');
    const { exitCode, log } = await bootOnce();
    assert.equal(exitCode, 0, log);
    assert.deepEqual(await processes(), []);
    assert.equal(server.seen.polls, 1);
  });

  test('is gone when the server is not there, and its exit code says so', async (t) => {
    const { bootOnce, processes, server } = await site(t, 'alone', artifacts.rootfs);
    server.close();
    const { exitCode, log } = await bootOnce();
    assert.equal(exitCode, 1, log);
    assert.match(log, /Could not ask the server for a deployment/);
    assert.deepEqual(await processes(), []);
  });

  test('told to end amid a module that hangs is gone with it, and rolls back in its next run', async (t) => {
    const { at, bootOnce, processes, server } = await site(t, 'ended', artifacts.module);
    await mkdir(at('share/modules/v3'), { recursive: true });
    const module = `#!/bin/sh
case "$1" in
  SupportsRollback) echo Yes ;;
  ArtifactInstall) echo hanging; sleep 1000 & sleep 1000 ;;
esac
exit 0
`;
    await writeFile(at('share/modules/v3/slow'), module, { mode: 0o755 });
    const ended = await bootOnce((log) => log.includes('hanging'));
    assert.match(ended.log, /hanging/);
    assert.equal(ended.exitCode, 0, ended.log);
    assert.deepEqual(await processes(), []);
    assert.equal(server.seen.statuses.at(-1), 'installing');

    const rolledBack = await bootOnce();
    assert.equal(rolledBack.exitCode, 0, rolledBack.log);
    assert.deepEqual(await processes(), []);
    assert.equal(server.seen.statuses.at(-1), 'failure');
  });
});
