import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { linuxSystem } from '../system/linux-system.ts';
import { runStateScripts, type StateScriptNeeds, type StateScriptRule } from './state-scripts.ts';

const { signal } = new AbortController();

async function scriptsDevice(
  t: TestContext,
  scripts: Readonly<Record<string, string>>,
  limits: Partial<StateScriptNeeds['limits']> = {},
) {
  const directory = await mkdtemp(join(tmpdir(), 'state-scripts-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  for (const name of ['rootfs', 'artifact']) await mkdir(join(directory, name));
  for (const [path, text] of Object.entries(scripts)) {
    const isVersion = path.endsWith('/version');
    await writeFile(
      join(directory, path),
      isVersion ? text : `#!/bin/sh\necho ${path} >> ${directory}/chain\n${text}\n`,
    );
    await chmod(join(directory, path), isVersion || text === 'not executable' ? 0o644 : 0o755);
  }
  const logged: string[] = [];
  const system = linuxSystem({ log: () => undefined, environment: process.env, killGraceMs: 200 });
  const needs: StateScriptNeeds = {
    ...system,
    log: (_level, message) => logged.push(message),
    rootfsScripts: join(directory, 'rootfs'),
    artifactScripts: join(directory, 'artifact'),
    limits: {
      stateScriptTimeoutMs: 5000,
      stateScriptRetryIntervalMs: 30,
      stateScriptRetryTimeoutMs: 200,
      ...limits,
    },
  };
  return {
    logged,
    run: (phase: string, rule: StateScriptRule = 'untilFailure') =>
      runStateScripts(phase, rule, needs, signal),
    chain: async () =>
      (await readFile(join(directory, 'chain'), 'utf8').catch(() => '')).split('\n').filter(Boolean),
  };
}

describe('the scripts of a phase', { concurrency: 4 }, () => {
  test('are the executable ones of its name, in order', async (t) => {
    const device = await scriptsDevice(t, {
      'artifact/ArtifactInstall_Enter_10_b': '',
      'artifact/ArtifactInstall_Enter_02': '',
      'artifact/ArtifactInstall_Enter_10_a': '',
      'artifact/ArtifactInstall_Enter_1': '',
      'artifact/ArtifactInstall_Enter_03_no good': '',
      'artifact/ArtifactInstall_Enter_04~': '',
      'artifact/ArtifactInstall_Enter_05': 'not executable',
      'artifact/ArtifactInstall_Leave_00': '',
      'rootfs/ArtifactInstall_Enter_00': '',
    });
    await device.run('ArtifactInstall_Enter');
    assert.deepEqual(await device.chain(), [
      'artifact/ArtifactInstall_Enter_02',
      'artifact/ArtifactInstall_Enter_10_a',
      'artifact/ArtifactInstall_Enter_10_b',
    ]);
  });

  for (const phase of ['Idle_Enter', 'Sync_Leave', 'Download_Error']) {
    test(`${phase} are the root file system's`, async (t) => {
      const device = await scriptsDevice(t, { [`rootfs/${phase}_00`]: '', [`artifact/${phase}_00`]: '' });
      await device.run(phase);
      assert.deepEqual(await device.chain(), [`rootfs/${phase}_00`]);
    });
  }

  test('end with the first that fails', async (t) => {
    const device = await scriptsDevice(t, {
      'artifact/ArtifactCommit_Enter_00': 'exit 1',
      'artifact/ArtifactCommit_Enter_01': '',
    });
    await assert.rejects(device.run('ArtifactCommit_Enter'), { code: 'stateScriptFailed', exitCode: 1 });
    assert.deepEqual(await device.chain(), ['artifact/ArtifactCommit_Enter_00']);
  });

  test('all run where failures are ignored', async (t) => {
    const device = await scriptsDevice(t, {
      'artifact/ArtifactCommit_Error_00': 'exit 1',
      'artifact/ArtifactCommit_Error_01': 'kill -9 $$',
      'artifact/ArtifactCommit_Error_02': '',
    });
    await device.run('ArtifactCommit_Error', 'everyScript');
    assert.equal((await device.chain()).length, 3);
  });

  test('are ended when their time is up, with what they started', async (t) => {
    const device = await scriptsDevice(
      t,
      { 'artifact/ArtifactInstall_Enter_00': 'sleep 60' },
      { stateScriptTimeoutMs: 200 },
    );
    await assert.rejects(device.run('ArtifactInstall_Enter'), /did not end within 0\.2 s/);
  });

  test('have their output in the log', async (t) => {
    const device = await scriptsDevice(t, { 'artifact/ArtifactInstall_Enter_00': 'echo out; echo err >&2' });
    await device.run('ArtifactInstall_Enter');
    assert.ok(device.logged.includes('Collected output (stderr) while running script: err'));
    assert.ok(device.logged.includes('Collected output (stdout) while running script: out'));
  });
});

describe('a script that exits with 21', { concurrency: 4 }, () => {
  const untilThird = (directory: string) =>
    `n=$(cat ${directory}/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > ${directory}/n; [ $n -ge 3 ] || exit 21`;

  test('is run again until it is content', async (t) => {
    const scratch = await mkdtemp(join(tmpdir(), 'retry-later-'));
    t.after(() => rm(scratch, { recursive: true, force: true }));
    const device = await scriptsDevice(
      t,
      { 'artifact/ArtifactInstall_Enter_00': untilThird(scratch), 'artifact/ArtifactInstall_Enter_01': '' },
      { stateScriptRetryTimeoutMs: 5000 },
    );
    await device.run('ArtifactInstall_Enter');
    assert.equal((await device.chain()).length, 4);
  });

  for (const rule of ['untilFailure', 'everyScript'] as const) {
    test(`is given up when its time is over (${rule})`, async (t) => {
      const device = await scriptsDevice(t, {
        'artifact/ArtifactInstall_Error_00': 'exit 21',
        'artifact/ArtifactInstall_Error_01': '',
      });
      const started = Date.now();
      if (rule === 'untilFailure')
        await assert.rejects(device.run('ArtifactInstall_Error', rule), /given up/);
      else await device.run('ArtifactInstall_Error', rule);
      assert.ok(Date.now() - started >= 200);
      const chain = await device.chain();
      assert.ok(chain.filter((path) => path.endsWith('_00')).length >= 2, 'tried more than once');
      assert.equal(chain.includes('artifact/ArtifactInstall_Error_01'), rule === 'everyScript');
    });
  }
});

describe('the version file of a scripts directory', () => {
  // prettier-ignore
  const versions = [
    ['2',          true],
    ['3\n',        true],
    ['3 of ours',  true],
    ['1',          false],
    ['4',          false],
    ['33',         false],
    ['',           false],
  ] as const;
  for (const [content, runs] of versions) {
    test(`${JSON.stringify(content)} ${runs ? 'lets scripts run' : 'forbids them'}`, async (t) => {
      const device = await scriptsDevice(t, {
        'artifact/ArtifactInstall_Enter_00': '',
        'artifact/version': content,
      });
      if (runs) await device.run('ArtifactInstall_Enter');
      else await assert.rejects(device.run('ArtifactInstall_Enter'), { code: 'scriptsVersion' });
      assert.equal((await device.chain()).length, runs ? 1 : 0);
    });
  }
  test('counts even when there is no script to run', async (t) => {
    const device = await scriptsDevice(t, { 'rootfs/version': 'x' });
    await assert.rejects(device.run('Download_Enter'), { code: 'scriptsVersion' });
    await device.run('ArtifactInstall_Enter');
  });
});
