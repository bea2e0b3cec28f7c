import { wordsOf } from '../client-error.ts';
import type { Actions } from './deployment-actions.ts';
import { changeDeployment, noteHangingStorage, recordOf, type DeploymentRun } from './deployment-run.ts';
import {
  nextState,
  outcomeMoves,
  rowOf,
  stateLoopLimit,
  type DeploymentEvent,
  type DeploymentState,
} from './deployment-states.ts';
import { runStateMachine } from './state-machine.ts';

/**
 * Runs the table of deployment states with these actions until `Stopped`, or until `stopBefore` says so, and returns that state.
 * Rejects with the signal's reason when aborted; the record on disk then says where to go on.
 */
export async function runDeployment<Run extends DeploymentRun>(
  run: Run,
  start: DeploymentState,
  actions: Actions<Run>,
  signal: AbortSignal,
  stopBefore: (state: DeploymentState) => Promise<boolean> = async () => false,
): Promise<DeploymentState> {
  return runStateMachine<DeploymentState, DeploymentEvent>(
    {
      next: nextState,
      endsBefore: async (state) => state === 'Stopped' || (await stopBefore(state)),
      entered: (state) => {
        run.log(run.deployment === undefined ? 'debug' : 'info', `Entering state ${state}`);
        if (rowOf(state).outcome === 'rollback') moveOutcome(run, 'rollback');
      },
      save: (state) => save(run, state),
      act: (state, actionSignal) => act(run, state, actions, actionSignal),
      happened: (state, event) => {
        if (event === 'aborted') run.log('error', `${state}: the server has aborted the deployment`);
        const fails = event === 'failure' || event === 'aborted';
        if (fails && rowOf(state).outcome !== 'kept') moveOutcome(run, 'failure');
        run.observe(state, event);
      },
    },
    start,
    signal,
  );
}

function moveOutcome(run: DeploymentRun, on: 'failure' | 'rollback'): void {
  if (run.deployment === undefined) return;
  changeDeployment(run, { outcome: outcomeMoves[run.deployment.outcome][on] });
}

/** Whether the record was saved and loaded so often that the device must be going in circles; says so in the log. */
export function isStateLoop(run: DeploymentRun, where: string): boolean {
  const { storeCount } = changeDeployment(run, {});
  if (storeCount < stateLoopLimit) return false;
  run.log(
    'error',
    `${where}: the state of the deployment was saved and loaded ${storeCount} times; taken for a loop`,
  );
  return true;
}

/**
 * A record that cannot be written stops the way forward. On the way back it does not: undoing without a record is better than not
 * undoing.
 */
async function save(run: DeploymentRun, state: DeploymentState): Promise<DeploymentEvent | undefined> {
  const { saves, inState } = rowOf(state);
  const name = run.kind === 'managed' ? saves : inState;
  if (name === undefined) return undefined;
  const record = recordOf(run, name);
  const { outcome } = changeDeployment(run, {});
  if (run.kind === 'managed' && isStateLoop(run, state)) return 'stateLoop';
  try {
    await run.store.update(record);
  } catch (error) {
    run.log('error', `${state}: could not save the state of the deployment: ${wordsOf(error)}`);
    noteHangingStorage(run, error);
    if (outcome === 'noneFailed') return 'failure';
  }
  return undefined;
}

async function act<Run extends DeploymentRun>(
  run: Run,
  state: DeploymentState,
  actions: Actions<Run>,
  signal: AbortSignal,
): Promise<DeploymentEvent> {
  try {
    return await actions[rowOf(state).does](run, signal, state);
  } catch (error) {
    signal.throwIfAborted();
    run.log('error', `${state}: ${wordsOf(error)}`);
    noteHangingStorage(run, error);
    return 'failure';
  }
}
