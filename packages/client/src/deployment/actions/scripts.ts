import { runStateScripts, type StateScriptRule } from '../../state-script/state-scripts.ts';
import { artifactScriptsOf, type DeploymentRun } from '../deployment-run.ts';
import type { DeploymentState } from '../deployment-states.ts';

/** Runs the phase the state is named after; the first script that fails ends it. */
export const runScripts = async (run: DeploymentRun, signal: AbortSignal, state: DeploymentState) =>
  runPhase(run, state, 'untilFailure', signal);

/** Runs the phase the state is named after, every script of it. */
export const runEveryScript = async (run: DeploymentRun, signal: AbortSignal, state: DeploymentState) =>
  runPhase(run, state, 'everyScript', signal);

async function runPhase(
  run: DeploymentRun,
  state: DeploymentState,
  rule: StateScriptRule,
  signal: AbortSignal,
): Promise<'success'> {
  const { system, paths, limits } = run.needs;
  const [phase = state] = state.split(':');
  await runStateScripts(
    phase,
    rule,
    {
      files: system.files,
      processes: system.processes,
      clock: system.clock,
      log: run.log,
      rootfsScripts: paths.rootfsScripts,
      artifactScripts: artifactScriptsOf(run),
      limits,
    },
    signal,
  );
  return 'success';
}
