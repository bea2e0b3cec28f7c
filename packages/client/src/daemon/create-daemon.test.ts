import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { bootTestDevice, makeTestDevice, removeTestDevice, testNeeds } from '../deployment/test-device.ts';
import { createDaemon, type DaemonNeeds } from './create-daemon.ts';

async function daemonDevice(t: TestContext) {
  const device = await makeTestDevice();
  t.after(() => removeTestDevice(device));
  await device.set('answer', 'SupportsRollback', 'Yes');
  const requests: string[] = [];
  const needs = testNeeds(device.directory, async () => assert.fail('it reboots'));
  const counted: DaemonNeeds = {
    ...needs,
    schedule: { ...needs.schedule, updatePollIntervalMs: 3_600_000, inventoryPollIntervalMs: 3_600_000 },
    server: {
      ...needs.server,
      nextDeployment: async (provides, signal) => {
        requests.push('poll');
        return needs.server.nextDeployment(provides, signal);
      },
      submitInventory: async () => {
        requests.push('inventory');
      },
    },
  };
  return { ...device, requests, needs: counted };
}

/** What a daemon is stopped with; a test that fails must not leave it running, which would keep the whole suite. */
function stopAtEnd(t: TestContext): AbortController {
  const stop = new AbortController();
  t.after(() => stop.abort(new Error('the test has ended')));
  return stop;
}

/** Waits for what is to become true; a machine that has other work, too, takes its time. */
async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    if (await is()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('waited in vain');
}

describe('a resident client', { concurrency: 3 }, () => {
  test('updates the device, tells the inventory after it, and stops when told to', async (t) => {
    const device = await daemonDevice(t);
    const stop = stopAtEnd(t);
    const running = createDaemon(device.needs).run(stop.signal);
    await until(async () => device.requests.length === 3);
    assert.deepEqual(device.requests, ['inventory', 'poll', 'inventory']);
    assert.equal((await device.statuses()).at(-1), 'success');
    stop.abort(new Error('SIGTERM'));
    await running;
  });

  test('asks at once when told to check, and sends the inventory when told to', async (t) => {
    const device = await daemonDevice(t);
    const { directory } = device;
    await bootTestDevice(directory);
    const stop = stopAtEnd(t);
    const daemon = createDaemon(device.needs);
    const running = daemon.run(stop.signal);
    await until(() => device.requests.length === 2);
    daemon.checkForDeployment();
    await until(() => device.requests.length === 3);
    daemon.sendInventory();
    await until(() => device.requests.length === 4);
    assert.deepEqual(device.requests.slice(2), ['poll', 'inventory']);
    stop.abort(new Error('SIGTERM'));
    await running;
  });

  test('stopped while it installs has not failed: the next start rolls back and reports', async (t) => {
    const device = await daemonDevice(t);
    const module = join(device.directory, 'modules', 'test-module');
    const usual = await readFile(module, 'utf8');
    await writeFile(module, usual.replace('exit 0\n', '[ "$1" = ArtifactInstall ] && sleep 60\nexit 0\n'));
    const stop = stopAtEnd(t);
    const running = createDaemon(device.needs).run(stop.signal);
    await until(async () => (await device.chain()).includes('ArtifactInstall'));
    stop.abort(new Error('SIGTERM'));
    await running;
    assert.deepEqual(await device.statuses(), ['downloading', 'installing']);
    assert.equal((await device.records()).state?.Name, 'update-install');
    assert.ok(!(await device.chain()).includes('ArtifactInstall_Error'));

    await writeFile(module, usual);
    assert.equal(await bootTestDevice(device.directory), 'idle');
    assert.equal((await device.statuses()).at(-1), 'failure');
    assert.equal((await device.records())['artifact-name'], 'version-1');
  });

  test('stopped while it downloads ends the connection, and begins again at the next start', async (t) => {
    const device = await daemonDevice(t);
    let closed = false;
    const needs: DaemonNeeds = {
      ...device.needs,
      server: {
        ...device.needs.server,
        download: async function* (_request, signal) {
          const artifact = await readFile(join(device.directory, 'server/artifact.mender'));
          yield artifact.subarray(0, 3000);
          await appendFile(join(device.directory, 'chain'), 'stalled\n');
          await new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              closed = true;
              reject(signal.reason as Error);
            });
          });
        },
      },
    };
    const stop = stopAtEnd(t);
    const running = createDaemon(needs).run(stop.signal);
    await until(async () => (await device.chain()).includes('stalled'));
    stop.abort(new Error('SIGTERM'));
    await running;
    assert.ok(closed);
    assert.deepEqual(await device.statuses(), ['downloading']);
    await bootTestDevice(device.directory);
    assert.deepEqual((await device.statuses()).slice(0, 3), ['downloading', 'downloading', 'installing']);
  });

  test('goes on asking when the server is not there', async (t) => {
    const device = await daemonDevice(t);
    const needs: DaemonNeeds = {
      ...device.needs,
      schedule: { ...device.needs.schedule, retryPollIntervalMs: 5 },
      server: {
        ...device.needs.server,
        submitInventory: async () => {
          throw new Error('no route to host');
        },
        nextDeployment: async () => {
          device.requests.push('poll');
          throw new Error('no route to host');
        },
      },
    };
    const stop = stopAtEnd(t);
    const running = createDaemon(needs).run(stop.signal);
    await until(() => device.requests.length >= 3);
    stop.abort(new Error('SIGTERM'));
    await running;
  });
});

describe('a client on demand', () => {
  test('that could not ask says so', async (t) => {
    const device = await daemonDevice(t);
    const needs: DaemonNeeds = {
      ...device.needs,
      server: {
        ...device.needs.server,
        nextDeployment: async () => {
          throw new Error('no route to host');
        },
      },
    };
    await assert.rejects(createDaemon(needs).runOnce(new AbortController().signal), {
      code: 'serverNotReached',
    });
  });

  test('whose device never reboots although told to rolls back', async (t) => {
    const device = await daemonDevice(t);
    await device.set('answer', 'NeedsArtifactReboot', 'Automatic');
    let reboots = 0;
    const needs: DaemonNeeds = {
      ...device.needs,
      limits: { ...device.needs.limits, rebootTimeoutMs: 50 },
      system: {
        ...device.needs.system,
        reboot: async () => {
          reboots++;
        },
      },
    };
    await createDaemon(needs).runOnce(new AbortController().signal);
    assert.equal(reboots, 2, 'into the new software, and back');
    assert.equal((await device.statuses()).at(-1), 'failure');
    assert.match((await device.uploadedLog()) ?? '', /told to reboot and is still running/);
  });

  test('repeats status and log together until both are heard; a log too large is left', async (t) => {
    for (const [status, uploads] of [
      [undefined, 2],
      [413, 1],
    ] as const) {
      const device = await daemonDevice(t);
      await device.set('fail', 'ArtifactInstall');
      let uploaded = 0;
      const needs: DaemonNeeds = {
        ...device.needs,
        server: {
          ...device.needs.server,
          uploadLog: async () => {
            if (++uploaded === 1) throw Object.assign(new Error('not now'), { status });
          },
        },
      };
      await createDaemon(needs).runOnce(new AbortController().signal);
      assert.equal(uploaded, uploads);
      assert.equal((await device.statuses()).filter((told) => told === 'failure').length, uploads);
    }
  });
});
