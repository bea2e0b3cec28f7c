import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  actionEvents,
  afterPowerCut,
  deploymentStates,
  nextState,
  outcomeMoves,
  rowOf,
  standaloneEntry,
  standaloneStops,
  type DeploymentEvent,
  type DeploymentState,
} from './deployment-states.ts';

/** The reference client's transitions: state, event, next state. */
const reference = JSON.parse(
  readFileSync(join(import.meta.dirname, 'client-transitions.json'), 'utf8'),
) as readonly (readonly [string, string, string])[];

/** What differs from the reference, and why. A pattern is a whole edge, `*` any run of characters. */
// prettier-ignore
const onlyInReference = [
  ['Init started Idle_Enter',                                   'not a state: where the machine starts is what the resume table says, or Idle_Enter'],
  ['Idle * Schedule*',                                          'when the next poll is due is the matter of the schedule, which Idle asks'],
  ['Schedule* success *',                                       'the same'],
  ['Download failure CancelDownload',                           'the action ends its own connection, however it ends'],
  ['CancelDownload success Download_Error',                     'the same'],
  ['* stateLoop StateLoop',                                     'one rule for all states (nextState), so that none lacks the edge'],
] as const;

// prettier-ignore
const onlyHere = [
  ['Idle *Poll Idle_Leave:*',                                   'without the states that schedule'],
  ['Idle stop Stopped',                                         'a run on demand has an end'],
  ['Download failure Download_Error',                           'without CancelDownload'],
  ['ReportDownloading failure RollbackNotNeeded',               'a device that cannot decompress the artifact says so before it says that it downloads'],
  ['BeforeCommit stop Stopped',                                 'a standalone update waits here for the commit'],
  ['BeforeCommit failure SupportsRollback',                     'standalone asks the installer here whether it can roll back, and that may fail'],
  ['EndOfDeployment stop Stopped',                              'a standalone update ends here'],
  ['ArtifactRollbackReboot failure ArtifactVerifyRollbackReboot', 'the verification decides, not the reboot; the reference says so by always saying success'],
  ['ArtifactVerifyRollbackReboot failure ArtifactRollbackReboot', 'a record that could not be saved is no reason to stop going back'],
] as const;

const edgesHere = Object.entries(deploymentStates).flatMap(([state, row]) =>
  Object.entries(row)
    .filter(([column]) => !['does', 'saves', 'inState', 'outcome'].includes(column))
    .map(([event, next]) => `${state} ${event} ${next}`),
);
const edgesOfReference = reference.map((edge) => edge.join(' '));
const fits = (pattern: string, edge: string): boolean =>
  new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(edge);

describe('the table of states', () => {
  test('has every transition of the reference, besides the differences listed', () => {
    const missing = edgesOfReference.filter((edge) => !edgesHere.includes(edge));
    assert.deepEqual(
      missing.filter((edge) => !onlyInReference.some(([pattern]) => fits(pattern, edge))),
      [],
    );
    for (const [pattern] of onlyInReference)
      assert.ok(
        missing.some((edge) => fits(pattern, edge)),
        `stale: ${pattern}`,
      );
  });

  test('has no transition that the reference lacks, besides the differences listed', () => {
    const added = edgesHere.filter((edge) => !edgesOfReference.includes(edge));
    assert.deepEqual(
      added.filter((edge) => !onlyHere.some(([pattern]) => fits(pattern, edge))),
      [],
    );
    for (const [pattern] of onlyHere)
      assert.ok(
        added.some((edge) => fits(pattern, edge)),
        `stale: ${pattern}`,
      );
  });

  test('follows the reference into StateLoop, from more states', () => {
    for (const [state, event, next] of reference.filter(([, said]) => said === 'stateLoop')) {
      assert.equal(nextState(state as DeploymentState, event as DeploymentEvent), next);
    }
  });

  test('has an edge for each event an action may say', () => {
    for (const [state, { does }] of Object.entries(deploymentStates)) {
      if (state === 'Stopped') continue;
      for (const event of actionEvents[does])
        assert.ok(nextState(state as DeploymentState, event), `${state} ${event}`);
    }
  });

  test('has an edge for a record that cannot be saved, wherever one is saved', () => {
    for (const state of Object.keys(deploymentStates) as DeploymentState[]) {
      const { saves, inState } = rowOf(state);
      if (saves ?? inState) assert.ok(nextState(state, 'failure'), state);
    }
  });

  test('leads only to states it has, and to each of them', () => {
    const starts: DeploymentState[] = ['Idle_Enter', 'StateLoop'];
    const reached = new Set<string>(starts);
    for (const state of reached) {
      assert.ok(state in deploymentStates, state);
      for (const edge of edgesHere) if (edge.startsWith(`${state} `)) reached.add(edge.split(' ')[2] ?? '');
    }
    assert.deepEqual([...reached].toSorted(), Object.keys(deploymentStates).toSorted());
  });

  test('saves only what the resume tables know', () => {
    for (const state of Object.keys(deploymentStates) as DeploymentState[]) {
      const { saves, inState } = rowOf(state);
      if (saves !== undefined) assert.ok(saves in afterPowerCut, saves);
      if (inState !== undefined) assert.ok(inState in standaloneEntry, inState);
    }
    for (const stop of Object.values(standaloneStops)) assert.ok(stop in standaloneEntry, stop);
  });

  test('runs no state script in a phase the reference has none of', () => {
    const phases = Object.entries(deploymentStates)
      .filter(([, { does }]) => does === 'runScripts' || does === 'runEveryScript')
      .map(([state]) => state.split(':')[0] ?? '');
    const withError = [
      'Sync',
      'Download',
      'ArtifactInstall',
      'ArtifactReboot',
      'ArtifactCommit',
      'ArtifactRollbackReboot',
    ];
    const all = ['Idle', 'ArtifactRollback', 'ArtifactFailure', ...withError];
    assert.deepEqual(
      [...new Set(phases)].toSorted(),
      [
        ...all.flatMap((of) => [`${of}_Enter`, `${of}_Leave`]),
        ...withError.map((of) => `${of}_Error`),
      ].toSorted(),
    );
  });

  test('never turns a failure into a success', () => {
    for (const [outcome, moves] of Object.entries(outcomeMoves)) {
      for (const next of Object.values(moves)) assert.notEqual(next, 'noneFailed', outcome);
    }
    assert.equal(
      outcomeMoves[outcomeMoves[outcomeMoves.noneFailed.failure].rollback].failure,
      'rollbackFailed',
    );
  });
});
