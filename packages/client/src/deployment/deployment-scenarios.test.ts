import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildBundle } from '../../build-bundle.ts';
import { deploymentStates, type SavedName } from './deployment-states.ts';
import {
  bootTestDevice,
  makeTestDevice,
  removeTestDevice,
  type BootEnd,
  type TestDevice,
} from './test-device.ts';

/*
 * Whole deployments on a device of real files, programs and scripts, as data. Each row: how the device and its server behave, and
 * what is run and reported then.
 */

interface Scenario {
  readonly name: string;
  /** Answer to NeedsArtifactReboot; 'Automatic' when not given. */
  readonly reboot?: 'No' | 'Yes' | 'Automatic';
  /** Answer to SupportsRollback; 'Yes' when not given. */
  readonly rollback?: 'Yes' | 'No';
  readonly idleScripts?: true;
  /** The device has these state scripts and no other. */
  readonly scriptsOnly?: readonly string[];
  readonly fails?: readonly string[];
  readonly failsOnce?: readonly string[];
  readonly abortsAt?: readonly string[];
  /** Do not end by themselves; their time is up after 0.7 s here. */
  readonly hangs?: readonly string[];
  /** Are ended by SIGKILL in their midst. */
  readonly die?: readonly string[];
  readonly storeIsReadOnly?: true;
  /** After each of these records is saved, one after the other, the power is cut. */
  readonly powerCutIn?: readonly SavedName[];
  /** This `version` file is overwritten by the new software, so at the first reboot. */
  readonly rebootSpoils?: string;
  readonly expectChain: readonly string[];
  readonly expectStatuses: readonly string[];
  /** The software the device then says it has; `version-1` before, `version-2` is deployed. */
  readonly expectName: string;
}

const inStorage = ['Download_Enter', 'ProvidePayloadFileSizes', 'Download', 'Download_Leave'];
const installed = [
  'ArtifactInstall_Enter',
  'ArtifactInstall',
  'ArtifactInstall_Leave',
  'NeedsArtifactReboot',
];
const rebooted = ['ArtifactReboot_Enter', '(reboot)', 'ArtifactVerifyReboot', 'ArtifactReboot_Leave'];
const committed = ['ArtifactCommit_Enter', 'ArtifactCommit', 'ArtifactCommit_Leave'];
const rolledBack = [
  'ArtifactRollback_Enter',
  'ArtifactRollback',
  'ArtifactRollback_Leave',
  'NeedsArtifactReboot',
];
const rebootedBack = [
  'ArtifactRollbackReboot_Enter',
  '(reboot)',
  'ArtifactVerifyRollbackReboot',
  'ArtifactRollbackReboot_Leave',
];
const failed = ['ArtifactFailure_Enter', 'ArtifactFailure', 'ArtifactFailure_Leave'];
const back = ['SupportsRollback', ...rolledBack, ...rebootedBack, ...failed, 'Cleanup'];
const untilInstallFailed = [
  ...inStorage,
  'ArtifactInstall_Enter',
  'ArtifactInstall',
  'ArtifactInstall_Error',
];
const untilInstalled = [...inStorage, ...installed];
const untilRebooted = [...untilInstalled, ...rebooted];
const untilCommitted = [...untilRebooted, ...committed];
const good = [...untilCommitted, 'Cleanup'];

const reported = ['downloading', 'installing', 'rebooting', 'installing'];
const backWithoutReboot = [...untilInstallFailed, 'SupportsRollback', ...rolledBack, ...failed, 'Cleanup'];

const failsAfter =
  (...before: readonly string[]) =>
  (expectChain: readonly string[], expectName = 'version-1') => ({
    expectChain,
    expectStatuses: [...before, 'failure'],
    expectName,
  });
const beforeInstall = failsAfter('downloading');
const installFails = failsAfter('downloading', 'installing');
const rebootFails = failsAfter('downloading', 'installing', 'rebooting');
const commitFails = failsAfter(...reported);

/** How a deployment ends when this call or script does not do its work. */
// prettier-ignore
const failuresOfEach: readonly ({ readonly in: string; readonly ends: string } & Pick<Scenario, 'reboot' | 'fails' | 'expectChain' | 'expectStatuses' | 'expectName'>)[] = [
  { in: 'Download_Enter',          ends: 'nothing to roll back',                    ...beforeInstall(['Download_Enter', 'Download_Error']) },
  { in: 'ProvidePayloadFileSizes', ends: 'nothing to roll back',                    ...beforeInstall([...inStorage.slice(0, 2), 'Download_Error', 'Cleanup']) },
  { in: 'Download',                ends: 'nothing to roll back',                    ...beforeInstall([...inStorage.slice(0, 3), 'Download_Error', 'Cleanup']) },
  { in: 'Download_Leave',          ends: 'nothing to roll back',                    ...beforeInstall([...inStorage, 'Download_Error', 'Cleanup']) },
  { in: 'ArtifactInstall_Enter',   ends: 'rolled back',                             ...installFails([...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall_Error', ...back]) },
  { in: 'ArtifactInstall',         ends: 'rolled back',                             ...installFails([...untilInstallFailed, ...back]) },
  { in: 'ArtifactInstall_Leave',   ends: 'rolled back',                             ...installFails([...inStorage, ...installed.slice(0, 3), 'ArtifactInstall_Error', ...back]) },
  { in: 'NeedsArtifactReboot',     ends: 'its rollback is not proven either',       ...installFails([...untilInstalled, 'SupportsRollback', ...rolledBack, ...failed, 'Cleanup'], 'version-2_INCONSISTENT') },
  { in: 'ArtifactReboot_Enter',    ends: 'rolled back',                             ...rebootFails([...untilInstalled, 'ArtifactReboot_Enter', 'ArtifactReboot_Error', ...back]) },
  { in: 'ArtifactReboot',          ends: 'rolled back',        reboot: 'Yes',       ...rebootFails([...untilInstalled, 'ArtifactReboot_Enter', 'ArtifactReboot', 'ArtifactReboot_Error', 'SupportsRollback', ...rolledBack,
      'ArtifactRollbackReboot_Enter', 'ArtifactRollbackReboot', 'ArtifactVerifyRollbackReboot', 'ArtifactRollbackReboot_Leave', ...failed, 'Cleanup']) },
  { in: 'ArtifactVerifyReboot',    ends: 'rolled back',                             ...rebootFails([...untilInstalled, 'ArtifactReboot_Enter', '(reboot)', 'ArtifactVerifyReboot', 'ArtifactReboot_Error', ...back]) },
  { in: 'ArtifactReboot_Leave',    ends: 'rolled back',                             ...rebootFails([...untilRebooted, 'ArtifactReboot_Error', ...back]) },
  { in: 'ArtifactCommit_Enter',    ends: 'rolled back',                             ...commitFails([...untilRebooted, 'ArtifactCommit_Enter', 'ArtifactCommit_Error', ...back]) },
  { in: 'ArtifactCommit',          ends: 'rolled back',                             ...commitFails([...untilRebooted, ...committed.slice(0, 2), 'ArtifactCommit_Error', ...back]) },
  { in: 'ArtifactCommit_Leave',    ends: 'the new software stays and says so',      ...commitFails([...untilCommitted, 'ArtifactCommit_Error', 'Cleanup'], 'version-2_INCONSISTENT') },
  { in: 'Cleanup',                 ends: 'the new software stays, the failure is reported', ...commitFails(good, 'version-2') },
  // On the way back from an installation that failed.
  ...([
    { in: 'SupportsRollback',             ends: 'inconsistent',          ...installFails([...untilInstallFailed, 'SupportsRollback', ...failed, 'Cleanup'], 'version-2_INCONSISTENT') },
    { in: 'ArtifactRollback_Enter',       ends: 'rolled back all the same', reboot: 'No', ...installFails(backWithoutReboot) },
    { in: 'ArtifactRollback',             ends: 'inconsistent',          ...installFails([...untilInstallFailed, 'SupportsRollback', ...rolledBack.slice(0, 3), ...failed, 'Cleanup'], 'version-2_INCONSISTENT') },
    { in: 'ArtifactRollback_Leave',       ends: 'rolled back all the same', reboot: 'No', ...installFails(backWithoutReboot) },
    { in: 'ArtifactRollbackReboot_Enter', ends: 'rolled back all the same', ...installFails([...untilInstallFailed, ...back]) },
    { in: 'ArtifactRollbackReboot',       ends: 'rolled back all the same', reboot: 'Yes', ...installFails([...untilInstallFailed, 'SupportsRollback', ...rolledBack,
        'ArtifactRollbackReboot_Enter', 'ArtifactRollbackReboot', 'ArtifactVerifyRollbackReboot', 'ArtifactRollbackReboot_Leave', ...failed, 'Cleanup']) },
    { in: 'ArtifactRollbackReboot_Leave', ends: 'inconsistent',          ...installFails([...untilInstallFailed, 'SupportsRollback', ...rolledBack, ...rebootedBack,
        'ArtifactRollbackReboot_Error', ...failed, 'Cleanup'], 'version-2_INCONSISTENT') },
    { in: 'ArtifactFailure_Enter',        ends: 'rolled back all the same', reboot: 'No', ...installFails(backWithoutReboot) },
    { in: 'ArtifactFailure',              ends: 'rolled back all the same', reboot: 'No', ...installFails(backWithoutReboot) },
    { in: 'ArtifactFailure_Leave',        ends: 'rolled back all the same', reboot: 'No', ...installFails(backWithoutReboot) },
  ] as const).map((row) => ({ ...row, fails: ['ArtifactInstall'] })),
];

/** Which scripts run around a failure is shown by the first row of each; the others need not start them all again. */
const withoutOtherScripts = (name: string, { expectChain }: Pick<Scenario, 'expectChain'>) => ({
  scriptsOnly: [name],
  expectChain: expectChain.filter((run) => run === name || !run.includes('_')),
});

// prettier-ignore
const scenarios: readonly Scenario[] = [
  { name: 'a good update is installed, rebooted into and committed',
    expectChain: good, expectStatuses: [...reported, 'success'], expectName: 'version-2' },
  { name: 'a good update without a reboot is committed at once', reboot: 'No',
    expectChain: [...untilInstalled, ...committed, 'Cleanup'], expectStatuses: ['downloading', 'installing', 'installing', 'success'], expectName: 'version-2' },
  { name: 'a module that reboots a part by itself is verified and committed', reboot: 'Yes',
    expectChain: [...untilInstalled, 'ArtifactReboot_Enter', 'ArtifactReboot', 'ArtifactVerifyReboot', 'ArtifactReboot_Leave', ...committed, 'Cleanup'],
    expectStatuses: [...reported, 'success'], expectName: 'version-2' },
  { name: 'scripts of Idle and Sync stand around the deployment', reboot: 'No', idleScripts: true,
    expectChain: ['Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave', 'Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave',
      ...untilInstalled, ...committed, 'Cleanup', 'Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave', 'Idle_Enter'],
    expectStatuses: ['downloading', 'installing', 'installing', 'success'], expectName: 'version-2' },

  // ---- each call and script failing, hanging, and killed
  { name: 'a failing Idle script is ignored', reboot: 'No', idleScripts: true, fails: ['Idle_Enter', 'Idle_Leave'],
    expectChain: ['Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave', 'Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave',
      ...untilInstalled, ...committed, 'Cleanup', 'Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave', 'Idle_Enter'],
    expectStatuses: ['downloading', 'installing', 'installing', 'success'], expectName: 'version-2' },
  { name: 'a Sync_Enter script that fails keeps the device from asking', idleScripts: true, fails: ['Sync_Enter'],
    expectChain: ['Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Error', 'Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Error', 'Idle_Enter'],
    expectStatuses: [], expectName: 'version-1' },
  { name: 'a Sync_Leave script that fails after the offer ends without a report', idleScripts: true, fails: ['Sync_Leave'],
    expectChain: ['Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave', 'Sync_Error', 'Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave', 'Sync_Error',
      'Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave', 'Sync_Error', 'Idle_Enter'],
    expectStatuses: [], expectName: 'version-1' },
  ...failuresOfEach.flatMap(({ in: name, ends, fails = [], ...row }) => [
    { name: `${name} fails: ${ends}`, fails: [...fails, name], ...row },
    { name: `${name} hangs: ended when its time is up, and ${ends}`, hangs: [name], fails, ...row, ...withoutOtherScripts(name, row) },
    { name: `${name} is killed: ${ends}`, die: [name], fails, ...row, ...withoutOtherScripts(name, row) },
  ]),

  { name: 'new software with state scripts of a version to come: not committed', rebootSpoils: 'scripts/version',
    expectChain: [...untilRebooted, 'ArtifactCommit_Enter', 'ArtifactCommit_Error', ...back],
    expectStatuses: [...reported, 'failure'], expectName: 'version-1' },
  { name: 'artifact scripts of a version to come: none is run, rolled back, and not believed', rebootSpoils: 'data/scripts/version',
    expectChain: [...untilInstalled, 'ArtifactReboot_Enter', '(reboot)', 'ArtifactVerifyReboot', 'SupportsRollback', 'ArtifactRollback', 'NeedsArtifactReboot',
      '(reboot)', 'ArtifactVerifyRollbackReboot', 'ArtifactFailure', 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'rebooting', 'failure'], expectName: 'version-2_INCONSISTENT' },

  // ---- the store cannot be written
  { name: 'a store that is read-only: nothing is begun', storeIsReadOnly: true,
    expectChain: ['Download_Error'], expectStatuses: ['downloading', 'failure'], expectName: 'version-1' },

  // ---- on the way back
  { name: 'a module that cannot roll back leaves the device inconsistent', rollback: 'No', fails: ['ArtifactInstall'],
    expectChain: [...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...failed, 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-2_INCONSISTENT' },
  { name: 'a device that comes back to the new software is rebooted again', fails: ['ArtifactInstall'], failsOnce: ['ArtifactVerifyRollbackReboot'],
    expectChain: [...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...rolledBack,
      'ArtifactRollbackReboot_Enter', '(reboot)', 'ArtifactVerifyRollbackReboot', '(reboot)', 'ArtifactVerifyRollbackReboot', 'ArtifactRollbackReboot_Leave', ...failed, 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },
  { name: 'scripts and calls of ArtifactFailure fail: the device is rolled back all the same', reboot: 'No', fails: ['ArtifactInstall', ...failed],
    expectChain: [...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...rolledBack, ...failed, 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },

  // ---- the server
  { name: 'aborted before the download: nothing is touched', abortsAt: ['downloading-1'],
    expectChain: [], expectStatuses: ['downloading', 'failure'], expectName: 'version-1' },
  { name: 'aborted before the installation: only cleaned up', abortsAt: ['installing-1'],
    expectChain: [...inStorage, 'Cleanup'], expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },
  { name: 'aborted before the reboot: rolled back', abortsAt: ['rebooting-1'],
    expectChain: [...untilInstalled, ...back], expectStatuses: ['downloading', 'installing', 'rebooting', 'failure'], expectName: 'version-1' },
  { name: 'aborted before the commit: rolled back', abortsAt: ['installing-2'],
    expectChain: [...untilRebooted, ...back], expectStatuses: [...reported, 'failure'], expectName: 'version-1' },
  { name: 'aborted at the very end: what is committed stays', abortsAt: ['success-1'],
    expectChain: good, expectStatuses: [...reported, 'success'], expectName: 'version-2' },
  { name: 'a server that does not hear of downloading and rebooting does not hold the update up', fails: ['downloading', 'rebooting'],
    expectChain: good, expectStatuses: ['installing', 'installing', 'success'], expectName: 'version-2' },
  { name: 'a device that cannot reach its server from the new software is rolled back', fails: ['installing'],
    expectChain: [...untilRebooted, ...back], expectStatuses: ['downloading', 'rebooting', 'failure'], expectName: 'version-1' },

  // ---- the power is cut
  { name: 'power cut in update-store: the download begins again, and the update is as good as any', powerCutIn: ['update-store'],
    expectChain: ['(power cut)', ...good], expectStatuses: ['downloading', ...reported, 'success'], expectName: 'version-2' },
  { name: 'power cut in update-store, aborted meanwhile: nothing is downloaded any more', powerCutIn: ['update-store'], abortsAt: ['downloading-2'],
    expectChain: ['(power cut)'], expectStatuses: ['downloading', 'downloading', 'failure'], expectName: 'version-1' },
  { name: 'power cut in update-store again and again: given up, nothing to roll back', powerCutIn: Array.from({ length: 11 }, () => 'update-store'),
    expectChain: Array.from({ length: 11 }, () => '(power cut)'), expectStatuses: ['downloading', 'failure'], expectName: 'version-1' },
  { name: 'power cut in update-install: rolled back', powerCutIn: ['update-install'],
    expectChain: [...inStorage, '(power cut)', ...back], expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },
  { name: 'power cut in reboot: it has rebooted, and goes on', powerCutIn: ['reboot'],
    expectChain: [...untilInstalled, '(power cut)', 'ArtifactVerifyReboot', 'ArtifactReboot_Leave', ...committed, 'Cleanup'],
    expectStatuses: [...reported, 'success'], expectName: 'version-2' },
  { name: 'power cut in after-reboot: rolled back', powerCutIn: ['after-reboot'],
    expectChain: [...untilInstalled, 'ArtifactReboot_Enter', '(reboot)', '(power cut)', ...back],
    expectStatuses: ['downloading', 'installing', 'rebooting', 'failure'], expectName: 'version-1' },
  { name: 'power cut in update-commit: rolled back', powerCutIn: ['update-commit'],
    expectChain: [...untilRebooted, '(power cut)', ...back], expectStatuses: [...reported, 'failure'], expectName: 'version-1' },
  { name: 'power cut in update-after-commit: committed, goes on', powerCutIn: ['update-after-commit'],
    expectChain: [...untilRebooted, 'ArtifactCommit_Enter', 'ArtifactCommit', '(power cut)', 'ArtifactCommit_Leave', 'Cleanup'],
    expectStatuses: [...reported, 'success'], expectName: 'version-2' },
  { name: 'power cut in cleanup of a good update: it is still reported as good', powerCutIn: ['cleanup'],
    expectChain: [...untilCommitted, '(power cut)', 'Cleanup'], expectStatuses: [...reported, 'success'], expectName: 'version-2' },
  { name: 'power cut in cleanup of a failed update: it is still reported as failed', fails: ['ArtifactInstall'], reboot: 'No', powerCutIn: ['cleanup'],
    expectChain: [...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...rolledBack, ...failed, '(power cut)', 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },
  { name: 'power cut in rollback: the rollback runs again', fails: ['ArtifactInstall'], reboot: 'No', powerCutIn: ['rollback'],
    expectChain: [...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', '(power cut)', ...rolledBack, ...failed, 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },
  { name: 'power cut in rollback-reboot: it has rebooted, and is verified', fails: ['ArtifactInstall'], powerCutIn: ['rollback-reboot'],
    expectChain: [...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...rolledBack,
      '(power cut)', 'ArtifactVerifyRollbackReboot', 'ArtifactRollbackReboot_Leave', ...failed, 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },
  { name: 'power cut in verify-rollback-reboot: verified again', fails: ['ArtifactInstall'], powerCutIn: ['verify-rollback-reboot'],
    expectChain: [...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...rolledBack,
      'ArtifactRollbackReboot_Enter', '(reboot)', '(power cut)', 'ArtifactVerifyRollbackReboot', 'ArtifactRollbackReboot_Leave', ...failed, 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },
  { name: 'power cut in update-error: the failure runs again, the rollback still counts', fails: ['ArtifactInstall'], reboot: 'No', powerCutIn: ['update-error'],
    expectChain: [...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback', ...rolledBack, '(power cut)', ...failed, 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },
  { name: 'power cut in update-error after a failed rollback: still inconsistent', fails: ['ArtifactInstall', 'ArtifactRollback'], powerCutIn: ['update-error'],
    expectChain: [...inStorage, 'ArtifactInstall_Enter', 'ArtifactInstall', 'ArtifactInstall_Error', 'SupportsRollback',
      'ArtifactRollback_Enter', 'ArtifactRollback', 'ArtifactRollback_Leave', '(power cut)', ...failed, 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-2_INCONSISTENT' },
  { name: 'power cut, and again on the way back: rolled back', powerCutIn: ['update-install', 'rollback', 'update-error'], reboot: 'No',
    expectChain: [...inStorage, '(power cut)', 'SupportsRollback', '(power cut)', ...rolledBack, '(power cut)', ...failed, 'Cleanup'],
    expectStatuses: ['downloading', 'installing', 'failure'], expectName: 'version-1' },
];

const programs = await mkdtemp(join(tmpdir(), 'boot-test-device-'));
after(() => rm(programs, { recursive: true }));
const bootProgram = join(programs, 'boot-test-device.mjs');
before(() => buildBundle(bootProgram, [], join(import.meta.dirname, 'boot-test-device.ts')));

describe('a deployment', { concurrency: 8 }, () => {
  for (const scenario of scenarios) {
    test(scenario.name, async (t) => {
      const device = await makeTestDevice(scenario);
      t.after(() => removeTestDevice(device));
      await instruct(device, scenario);
      const cuts = [...(scenario.powerCutIn ?? [])];
      for (let boot = 1, end = ''; end !== 'idle'; boot++) {
        assert.ok(boot < 20, 'the device never comes to rest');
        end =
          scenario.powerCutIn === undefined
            ? await bootTestDevice(device.directory, {
                ...(scenario.storeIsReadOnly === true ? { storeIsReadOnly: true } : {}),
                ...(scenario.hangs === undefined ? {} : { timeoutMs: 700 }),
              }).catch(() => 'idle')
            : await bootInProcessOfItsOwn(device, cuts[0]);
        if (end === 'powerCut') cuts.shift();
        if (end === 'rebooted' && scenario.rebootSpoils !== undefined) {
          await writeFile(join(device.directory, scenario.rebootSpoils), '99');
        }
      }
      await expectScenario(device, scenario);
    });
  }

  test('has its power cut after each record it ever saves', () => {
    const saved = Object.values(deploymentStates).flatMap((row) => ('saves' in row ? [row.saves] : []));
    const cut = scenarios.flatMap(({ powerCutIn = [] }) => powerCutIn);
    assert.deepEqual(
      saved.filter((name) => !cut.includes(name)),
      [],
    );
  });

  test('that comes back to the wrong software for ever ends as a loop', async (t) => {
    const device = await makeTestDevice();
    t.after(() => removeTestDevice(device));
    await instruct(device, { fails: ['ArtifactInstall', 'ArtifactVerifyRollbackReboot'] });
    let boots = 1;
    while ((await bootTestDevice(device.directory)) !== 'idle') boots++;
    assert.ok(boots > 3 && boots < 15, `${boots} boots`);
    assert.deepEqual(await device.statuses(), ['downloading', 'installing', 'failure']);
    const records = await device.records();
    assert.equal(records['artifact-name'], 'version-2_INCONSISTENT');
    assert.equal(records['artifact-provides']['rootfs-image.test-module.version'], 'version-2');
    assert.ok((await device.uploadedLog())?.includes('taken for a loop'));
  });
});

describe('a client killed with SIGKILL while a program runs', { concurrency: 6 }, () => {
  // prettier-ignore
  const kills = [
    { in: 'Download',             ends: 'success', name: 'version-2' },
    { in: 'ArtifactInstall',      ends: 'failure', name: 'version-1' },
    { in: 'ArtifactVerifyReboot', ends: 'failure', name: 'version-1' },
    { in: 'ArtifactCommit',       ends: 'failure', name: 'version-1' },
    { in: 'ArtifactCommit_Leave', ends: 'success', name: 'version-2' },
    { in: 'Cleanup',              ends: 'success', name: 'version-2' },
  ] as const;
  for (const kill of kills) {
    test(`${kill.in}: ends in ${kill.ends} at the next start`, async (t) => {
      const device = await makeTestDevice();
      t.after(() => removeTestDevice(device));
      await instruct(device, {});
      await device.set('killClient', kill.in);
      let kills = 0;
      for (let boot = 1; ; boot++) {
        assert.ok(boot < 10, 'the device never comes to rest');
        const end = await bootInProcessOfItsOwn(device);
        if (end === 'powerCut') kills++;
        else if ((await device.records()).state === undefined) break;
      }
      assert.equal(kills, 1);
      assert.equal((await device.statuses()).at(-1), kill.ends);
      assert.equal((await device.records())['artifact-name'], kill.name);
    });
  }
});

async function instruct(
  device: TestDevice,
  {
    reboot = 'Automatic',
    rollback = 'Yes',
    fails = [],
    failsOnce = [],
    abortsAt = [],
    hangs = [],
    die = [],
  }: Partial<Scenario>,
): Promise<void> {
  await device.set('answer', 'NeedsArtifactReboot', reboot);
  await device.set('answer', 'SupportsRollback', rollback);
  for (const name of hangs) await device.set('hang', name);
  for (const name of die) await device.set('dieIn', name);
  for (const name of fails) await device.set('fail', name);
  for (const name of failsOnce) await device.set('failOnce', name);
  for (const name of abortsAt) await device.set('abortAt', name);
}

async function expectScenario(device: TestDevice, scenario: Scenario): Promise<void> {
  assert.deepEqual(await device.chain(), scenario.expectChain);
  assert.deepEqual(await device.statuses(), scenario.expectStatuses);
  const records = await device.records();
  assert.equal(records['artifact-name'], scenario.expectName);
  assert.equal(records.state, undefined, 'no record is left');
  const log = await device.uploadedLog();
  assert.equal(
    log !== undefined,
    scenario.expectStatuses.at(-1) === 'failure',
    'a log is uploaded for failures alone',
  );
}

/** Ends with SIGKILL as soon as that record is on disk, if one is named, or when a script says so. */
async function bootInProcessOfItsOwn(device: TestDevice, cutAfterSaving?: string): Promise<BootEnd> {
  const words = [bootProgram, device.directory, ...(cutAfterSaving === undefined ? [] : [cutAfterSaving])];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const [exitCode, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (signal === 'SIGKILL') await appendFile(join(device.directory, 'chain'), '(power cut)\n');
  if (signal === 'SIGKILL') return 'powerCut';
  assert.ok(exitCode === 0 || exitCode === 3, `the client ended with ${signal ?? exitCode}`);
  return exitCode === 3 ? 'rebooted' : 'idle';
}
