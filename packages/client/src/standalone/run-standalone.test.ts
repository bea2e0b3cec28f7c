import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeArtifactFile } from '@tandem/artifact';
import { deploymentStates } from '../deployment/deployment-states.ts';
import {
  bootTestDevice,
  makeTestDevice,
  removeTestDevice,
  testNeeds,
  type TestDevice,
} from '../deployment/test-device.ts';
import { showArtifact, showProvides } from './show-artifact.ts';
import { runTyped } from './test-command.ts';

const { signal } = new AbortController();
const useCommitOrRollback = "Use 'commit' to update, or 'rollback' to roll back the update.";
const installedNotCommitted = `Installed, but not committed.\n${useCommitOrRollback}`;
const noReboot = 'At least one payload requested a reboot of the device it updated.';

interface Step {
  /** The command as it is typed. */
  readonly run: string;
  /** The power is cut once a record of this state is saved. */
  readonly powerCutIn?: string;
  readonly expect: readonly string[] | { readonly refused: RegExp };
  readonly code?: 0 | 1 | 2 | 4;
  readonly chain?: readonly string[];
  readonly inState?: string | undefined;
}
interface Story {
  readonly name: string;
  readonly reboot?: 'No' | 'Automatic';
  readonly rollback?: 'Yes' | 'No';
  readonly fails?: readonly string[];
  readonly steps: readonly Step[];
  readonly expectName: string;
}

const stream = ['Download_Enter', 'ProvidePayloadFileSizes', 'Download', 'Download_Leave'];
const install = [
  'ArtifactInstall_Enter',
  'ArtifactInstall',
  'ArtifactInstall_Leave',
  'NeedsArtifactReboot',
  'SupportsRollback',
];
const commit = ['ArtifactCommit_Enter', 'ArtifactCommit', 'ArtifactCommit_Leave', 'Cleanup'];
const rollback = ['ArtifactRollback_Enter', 'ArtifactRollback', 'ArtifactRollback_Leave'];
const failure = ['ArtifactFailure_Enter', 'ArtifactFailure', 'ArtifactFailure_Leave', 'Cleanup'];

// prettier-ignore
const stories: readonly Story[] = [
  { name: 'install and commit', expectName: 'version-2', steps: [
    { run: 'install',  expect: ['Installing artifact...', installedNotCommitted],                     code: 0, chain: [...stream, ...install], inState: 'Before_ArtifactCommit_Enter' },
    { run: 'install',  expect: { refused: /^Update already in progress. Please commit or roll back first$/ } },
    { run: 'commit',   expect: ['Committed.'],                                                         code: 0, chain: commit, inState: undefined },
    { run: 'commit',   expect: ['No update in progress.'],                                             code: 2, chain: [] } ] },
  { name: 'install and rollback', expectName: 'version-1', steps: [
    { run: 'install',  expect: ['Installing artifact...', installedNotCommitted],                     code: 0 },
    { run: 'rollback', expect: ['Rolled back.'],                                                       code: 0, chain: [...rollback, ...failure], inState: undefined },
    { run: 'rollback', expect: ['No update in progress.'],                                             code: 2 },
    { run: 'resume',   expect: ['No update in progress.'],                                             code: 2 } ] },
  { name: 'a payload that wants a reboot, told by text and by exit code', reboot: 'Automatic', expectName: 'version-2', steps: [
    { run: 'install --reboot-exit-code', expect: ['Installing artifact...', installedNotCommitted, noReboot], code: 4, chain: [...stream, ...install] },
    { run: 'commit',   expect: ['Committed.'],                                                         code: 0, chain: commit } ] },
  { name: 'the same without the option', reboot: 'Automatic', expectName: 'version-1', steps: [
    { run: 'install',  expect: ['Installing artifact...', installedNotCommitted, noReboot],            code: 0 } ] },
  { name: 'a module that cannot roll back is committed at once', rollback: 'No', expectName: 'version-2', steps: [
    { run: 'install',  expect: ['Installing artifact...', "Update Module doesn't support rollback. Committing immediately.", 'Installed and committed.'], code: 0,
      chain: [...stream, ...install, ...commit], inState: undefined } ] },
  { name: 'the download fails', fails: ['Download'], expectName: 'version-1', steps: [
    { run: 'install',  expect: ['Installing artifact...', 'Streaming failed.', 'System not modified.'], code: 1, chain: [...stream.slice(0, 3), 'Download_Error', 'Cleanup'], inState: undefined } ] },
  { name: 'the installation fails and is rolled back', fails: ['ArtifactInstall'], expectName: 'version-1', steps: [
    { run: 'install',  expect: ['Installing artifact...', 'Installation failed.', 'Rolled back.'],      code: 1,
      chain: [...stream, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...rollback, ...failure], inState: undefined } ] },
  { name: 'the installation fails and cannot be rolled back', rollback: 'No', fails: ['ArtifactInstall'], expectName: 'version-2_INCONSISTENT', steps: [
    { run: 'install',  expect: ['Installing artifact...', 'Installation failed.', 'Update Module does not support rollback. System may be in an inconsistent state.'], code: 1,
      chain: [...stream, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...failure] } ] },
  { name: 'installation and rollback fail', fails: ['ArtifactInstall', 'ArtifactRollback'], expectName: 'version-2_INCONSISTENT', steps: [
    { run: 'install',  expect: ['Installing artifact...', 'Installation failed.', 'Rollback failed. System may be in an inconsistent state.'], code: 1 } ] },
  { name: 'the commit fails and is rolled back', fails: ['ArtifactCommit'], expectName: 'version-1', steps: [
    { run: 'install',  expect: ['Installing artifact...', installedNotCommitted],                     code: 0 },
    { run: 'commit',   expect: ['Committing failed.', 'Rolled back.'],                                  code: 1, chain: [...commit.slice(0, 2), 'ArtifactCommit_Error', ...rollback, ...failure] } ] },
  { name: 'a script after the commit fails', fails: ['ArtifactCommit_Leave'], expectName: 'version-2_INCONSISTENT', steps: [
    { run: 'install',  expect: ['Installing artifact...', installedNotCommitted],                     code: 0 },
    { run: 'commit',   expect: ['Committed.', 'One or more post-commit steps failed.'],                 code: 1, chain: [...commit.slice(0, 3), 'ArtifactCommit_Error', 'Cleanup'] } ] },
  { name: 'the cleanup fails', fails: ['Cleanup'], expectName: 'version-2', steps: [
    { run: 'install',  expect: ['Installing artifact...', installedNotCommitted],                     code: 0 },
    { run: 'commit',   expect: ['Committed.', 'Cleanup failed.'],                                       code: 1 } ] },

  // ---- stops
  { name: 'step by step to the end', expectName: 'version-2', steps: [
    { run: 'install --stop-before ArtifactInstall_Enter', expect: ['Installing artifact...', 'Streamed to storage, but not installed/enabled.'], code: 0, chain: stream, inState: 'Before_ArtifactInstall_Enter' },
    { run: 'commit',                                      expect: { refused: /Cannot commit an update that stands in Before_ArtifactInstall_Enter/ } },
    { run: 'resume',                                      expect: [installedNotCommitted],              code: 0, chain: install, inState: 'Before_ArtifactCommit_Enter' },
    { run: 'commit --stop-before ArtifactCommit_Leave',   expect: ['Committed.'],                       code: 0, chain: commit.slice(0, 2), inState: 'Before_ArtifactCommit_Leave' },
    { run: 'resume --stop-before Cleanup',                expect: ['Committed.'],                       code: 0, chain: ['ArtifactCommit_Leave'], inState: 'Cleanup' },
    { run: 'resume',                                      expect: ['Cleaned up.'],                      code: 0, chain: ['Cleanup'], inState: undefined } ] },
  { name: 'a reboot that a resumed installation wants, told by exit code', reboot: 'Automatic', expectName: 'version-1', steps: [
    { run: 'install --reboot-exit-code --stop-before ArtifactInstall_Enter', expect: ['Installing artifact...', 'Streamed to storage, but not installed/enabled.'], code: 0, chain: stream },
    { run: 'resume --reboot-exit-code',                   expect: [installedNotCommitted, noReboot],    code: 4, chain: install },
    { run: 'rollback',                                    expect: ['Rolled back.'],                     code: 0 } ] },
  { name: 'a module that cannot roll back waits when told to', rollback: 'No', expectName: 'version-2', steps: [
    { run: 'install --stop-before ArtifactCommit_Enter',  expect: ['Installing artifact...', installedNotCommitted], code: 0, chain: [...stream, ...install], inState: 'Before_ArtifactCommit_Enter' },
    { run: 'commit',                                      expect: ['Committed.'],                       code: 0, chain: commit } ] },
  { name: 'stopped on the way back', fails: ['ArtifactInstall'], expectName: 'version-1', steps: [
    { run: 'install --stop-before ArtifactRollback_Enter', expect: ['Installing artifact...', 'Installation failed.'], code: 1, inState: 'ArtifactRollback_Enter' },
    { run: 'resume --stop-before ArtifactFailure_Enter',  expect: ['Rolled back.'],                     code: 0, chain: rollback, inState: 'ArtifactFailure_Enter' },
    { run: 'resume',                                      expect: [],                                   code: 0, chain: failure, inState: undefined } ] },
  { name: 'a stop that is none', expectName: 'version-1', steps: [
    { run: 'install --stop-before ArtifactReboot_Enter',  expect: { refused: /^Cannot stop before unsupported state ArtifactReboot_Enter$/ } } ] },
  { name: 'rolled back before it was installed', expectName: 'version-1', steps: [
    { run: 'install --stop-before ArtifactInstall_Enter', expect: ['Installing artifact...', 'Streamed to storage, but not installed/enabled.'], code: 0 },
    { run: 'rollback',                                    expect: ['Rolled back.'],                     code: 0, chain: ['SupportsRollback', ...rollback, ...failure] } ] },

  // ---- the power is cut
  { name: 'power cut while installing', expectName: 'version-1', steps: [
    { run: 'install', powerCutIn: 'ArtifactInstall_Enter', expect: ['Installing artifact...'], chain: stream, inState: 'ArtifactInstall_Enter' },
    { run: 'resume',                                      expect: ['Rolled back.'],                     code: 0, chain: ['SupportsRollback', ...rollback, ...failure], inState: undefined } ] },
  { name: 'power cut while committing', expectName: 'version-1', steps: [
    { run: 'install', expect: ['Installing artifact...', installedNotCommitted] },
    { run: 'commit', powerCutIn: 'ArtifactCommit_Enter',   expect: [], chain: [], inState: 'ArtifactCommit_Enter' },
    { run: 'resume',                                      expect: ['Rolled back.'],                     code: 0, chain: [...rollback, ...failure], inState: undefined } ] },
  { name: 'power cut after the commit', expectName: 'version-2', steps: [
    { run: 'install', expect: ['Installing artifact...', installedNotCommitted] },
    { run: 'commit', powerCutIn: 'ArtifactCommit_Leave',   expect: [], chain: commit.slice(0, 2), inState: 'ArtifactCommit_Leave' },
    { run: 'rollback',                                    expect: { refused: /Cannot rollback an update that stands in ArtifactCommit_Leave/ } },
    { run: 'resume',                                      expect: ['Committed.'],                       code: 0, chain: commit.slice(2), inState: undefined } ] },
  { name: 'power cut right after the commit', expectName: 'version-2', steps: [
    { run: 'install', expect: ['Installing artifact...', installedNotCommitted] },
    { run: 'commit', powerCutIn: 'Before_ArtifactCommit_Leave', expect: [], chain: commit.slice(0, 2), inState: 'Before_ArtifactCommit_Leave' },
    { run: 'resume',                                      expect: ['Committed.'],                       code: 0, chain: commit.slice(2), inState: undefined } ] },
  { name: 'power cut after a rollback', fails: ['ArtifactInstall'], expectName: 'version-1', steps: [
    { run: 'install', powerCutIn: 'ArtifactFailure_Enter', expect: ['Installing artifact...'], inState: 'ArtifactFailure_Enter',
      chain: [...stream, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...rollback] },
    { run: 'resume',                                      expect: [],                                   code: 0, chain: failure, inState: undefined } ] },
  { name: 'power cut while rolling back', expectName: 'version-1', steps: [
    { run: 'install', expect: ['Installing artifact...', installedNotCommitted] },
    { run: 'rollback', powerCutIn: 'ArtifactRollback_Enter', expect: [], chain: [], inState: 'ArtifactRollback_Enter' },
    { run: 'rollback',                                    expect: ['Rolled back.'],                     code: 0, chain: [...rollback, ...failure], inState: undefined } ] },
  { name: 'power cut in the cleanup of a good update', expectName: 'version-2', steps: [
    { run: 'install', expect: ['Installing artifact...', installedNotCommitted] },
    { run: 'commit', powerCutIn: 'Cleanup',                expect: [], chain: commit.slice(0, 3), inState: 'Cleanup' },
    { run: 'resume',                                      expect: ['Cleaned up.'],                      code: 0, chain: ['Cleanup'], inState: undefined } ] },
];

describe('an update by hand', { concurrency: 6 }, () => {
  for (const story of stories) {
    test(story.name, async (t) => {
      const device = await commandDevice(t);
      await device.set('answer', 'NeedsArtifactReboot', story.reboot ?? 'No');
      await device.set('answer', 'SupportsRollback', story.rollback ?? 'Yes');
      for (const name of story.fails ?? []) await device.set('fail', name);
      for (const step of story.steps) {
        const told = await device.type(step.run, step.powerCutIn);
        const where = `${step.run} ${step.powerCutIn ?? ''}`;
        if (Array.isArray(step.expect)) assert.deepEqual(told.lines, step.expect, where);
        else assert.match(told.refused ?? 'not refused', (step.expect as { refused: RegExp }).refused, where);
        if (step.code !== undefined) assert.equal(told.code, step.code, where);
        if (step.chain !== undefined) assert.deepEqual(told.chain, step.chain, where);
        if ('inState' in step)
          assert.equal((await device.records())['standalone-state']?.InState, step.inState, where);
      }
      assert.equal((await device.records())['artifact-name'], story.expectName);
    });
  }

  test('has its power cut after each record it ever saves', () => {
    const saved = Object.values(deploymentStates).flatMap((row) => ('inState' in row ? [row.inState] : []));
    const cut = stories.flatMap(({ steps }) => steps.map(({ powerCutIn }) => powerCutIn));
    assert.deepEqual(
      saved.filter((name) => !cut.includes(name)),
      [],
    );
  });

  test('is refused for a file that is not there, with nothing changed', async (t) => {
    const device = await commandDevice(t);
    const told = await device.type('install', undefined, '/no/such/file.mender');
    assert.match(told.refused ?? '', /Could not open the artifact \/no\/such\/file\.mender/);
    assert.deepEqual(told.lines, []);
  });

  test('from an address shows its progress, and its secret query in no text', async (t) => {
    const device = await commandDevice(t);
    const told = await device.type('install', undefined, 'http://server/artifact?signature=secret');
    assert.deepEqual(told.lines, ['Installing artifact...', installedNotCommitted]);
    assert.match(told.progress, /^(\r\d+%)+$/);
    assert.ok(told.progress.endsWith('\r100%'));
    const missing = await device.type('install', undefined, 'https://elsewhere/x?signature=secret');
    assert.ok(!JSON.stringify(missing).includes('secret'));
  });

  test('is refused while a deployment of the server is in flight', async (t) => {
    const device = await commandDevice(t);
    await device.set('answer', 'NeedsArtifactReboot', 'Automatic');
    assert.equal(await bootTestDevice(device.directory), 'rebooted');
    for (const command of ['install', 'commit', 'rollback', 'resume']) {
      assert.match(
        (await device.type(command)).refused ?? '',
        /Deployment deployment-1 of the server is in progress/,
      );
    }
    assert.equal(await bootTestDevice(device.directory), 'idle');
    assert.equal((await device.statuses()).at(-1), 'success');
  });

  test('keeps the daemon from asking for a deployment until it is committed', async (t) => {
    const device = await commandDevice(t);
    await device.type('install');
    await bootTestDevice(device.directory);
    assert.deepEqual(await device.statuses(), []);
    await device.type('rollback');
    await bootTestDevice(device.directory);
    assert.equal((await device.statuses()).at(-1), 'success');
  });

  test('is refused while another command runs', async (t) => {
    const device = await commandDevice(t);
    const at = (name: string) => join(device.directory, name);
    const waits = `touch '${at('begun')}'; until [ -e '${at('go-on')}' ]; do sleep 0.02; done`;
    await writeFile(at('modules/test-module'), `#!/bin/sh\n[ "$1" = Download ] && { ${waits}; }\nexit 0\n`);
    const first = device.type('install');
    while (!existsSync(at('begun'))) await sleep(20);
    assert.match((await device.type('install')).refused ?? '', /Another update is running/);
    await writeFile(at('go-on'), '');
    assert.equal((await first).code, 0);
  });
});

describe('an empty payload', () => {
  test('installed by hand is committed at once, and changes the provides alone', async (t) => {
    const device = await commandDevice(t);
    const path = join(device.directory, 'empty.mender');
    await writeArtifactFile(
      {
        artifactName: 'name-only',
        depends: { deviceTypes: ['test-board'] },
        payload: {
          type: null,
          provides: { 'rootfs-image.version': 'factory' },
          clearsProvides: ['rootfs-image.*'],
        },
      },
      path,
      { compression: 'gzip' },
    );
    const told = await device.type('install', undefined, path);
    assert.deepEqual(told, {
      lines: [
        'Installing artifact...',
        'Artifact with empty payload. Committing immediately.',
        'Installed and committed.',
      ],
      code: 0,
      refused: undefined,
      chain: ['Download_Enter', 'Download_Leave'],
      progress: told.progress,
    });
    assert.deepEqual(await showProvides(device.needs(), signal), [
      'artifact_name=name-only',
      'rootfs-image.version=factory',
    ]);
  });

  test('as bootstrap artifact names a new device, once, without a word', async (t) => {
    const device = await commandDevice(t);
    await rm(join(device.directory, 'data/tandem-store.json'));
    const path = join(device.directory, 'data/bootstrap.mender');
    await writeArtifactFile(
      {
        artifactName: 'factory',
        depends: { deviceTypes: ['test-board'] },
        payload: { type: null, provides: { a: 'b' } },
      },
      path,
      { compression: 'gzip' },
    );
    assert.equal(await showArtifact(device.needs(), signal), 'factory');
    await assert.rejects(stat(path), 'it is consumed');
    assert.deepEqual(await showProvides(device.needs(), signal), ['a=b', 'artifact_name=factory']);
  });

  test('in an image of generation 3 is what artifact_info says, until an update says more', async (t) => {
    const device = await commandDevice(t);
    await rm(join(device.directory, 'data/tandem-store.json'));
    const artifactInfo = join(device.directory, 'artifact_info');
    await writeFile(artifactInfo, 'artifact_name=image-7 \nartifact_group=stable\n');
    const needs = { ...device.needs(), paths: { ...device.needs().paths, artifactInfo } };
    assert.deepEqual(await showProvides(needs, signal), ['artifact_group=stable', 'artifact_name=image-7']);
    await writeFile(artifactInfo, 'artifact_name=image-8\n');
    assert.equal(await showArtifact(needs, signal), 'image-7');
  });

  test('that is broken as bootstrap artifact leaves the device unknown', async (t) => {
    const device = await commandDevice(t);
    await rm(join(device.directory, 'data/tandem-store.json'));
    const path = join(device.directory, 'data/bootstrap.mender');
    await writeFile(path, 'not an artifact');
    assert.equal(await showArtifact(device.needs(), signal), 'unknown');
    await assert.rejects(stat(path), 'it is consumed');
    assert.match(
      await readFile(join(device.directory, 'system-log'), 'utf8'),
      /Could not install the bootstrap artifact/,
    );
  });
});

/** A test device with a keyboard: `type` runs a command and gives what was seen. */
async function commandDevice(t: TestContext) {
  const device = await makeTestDevice();
  t.after(() => removeTestDevice(device));
  await device.set('answer', 'SupportsRollback', 'Yes');
  return {
    ...device,
    needs: () => testNeeds(device.directory, async () => assert.fail('it reboots')),
    type: async (typed: string, powerCutIn?: string, artifact?: string) => {
      const lines: string[] = [];
      let progress = '';
      let refused: string | undefined;
      const before = (await device.chain()).length;
      let code: number | undefined;
      if (powerCutIn !== undefined) lines.push(...(await typedUntilPowerCut(device, typed, powerCutIn)));
      else {
        const typing = runTyped(device.directory, typed, {
          artifact,
          print: (line) => lines.push(line),
          printProgress: (text) => {
            progress += text;
          },
        });
        code = await typing.catch((error: Error) => {
          refused = error.message;
          return undefined;
        });
      }
      return { lines, code, refused, progress, chain: (await device.chain()).slice(before) };
    },
  };
}

/** What a command of a process of its own has said when it was killed, by SIGKILL, with that record saved. */
async function typedUntilPowerCut(
  { directory }: TestDevice,
  typed: string,
  record: string,
): Promise<readonly string[]> {
  const program = join(import.meta.dirname, 'test-command.ts');
  const child = spawn(process.execPath, [program, directory, record, typed], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  assert.deepEqual(await once(child, 'close'), [null, 'SIGKILL'], said);
  return said.split('\n').slice(0, -1);
}
