import { wordsOf } from '../client-error.ts';
import { mayStartAgain } from '../deployment/actions/begin-download.ts';
import { renewLink } from '../deployment/actions/poll.ts';
import { managedActions } from '../deployment/deployment-actions.ts';
import { startDeploymentLog } from '../deployment/deployment-log.ts';
import { changeDeployment, deploymentOf, newDeploymentRun, saveAgain } from '../deployment/deployment-run.ts';
import {
  afterPowerCut,
  afterPowerCutElsewhere,
  afterPowerCutInVain,
  type DeploymentState,
  type SavedName,
} from '../deployment/deployment-states.ts';
import type { ManagedRun } from '../deployment/managed-run.ts';
import { isStateLoop, runDeployment } from '../deployment/run-deployment.ts';
import { fromManagedRecord, type ManagedRecord } from '../deployment/saved-deployment.ts';
import { updateLock } from '../provides-store/update-lock.ts';
import { installBootstrapArtifact } from '../standalone/bootstrap-artifact.ts';
import { newBackoff } from './backoff.ts';
import type { DaemonNeeds } from './create-daemon.ts';
import type { Schedule } from './schedule.ts';

/** Finishes what a power cut or a stop left, then does what the schedule says, until it stops or the signal aborts. */
export async function runManaged(needs: DaemonNeeds, schedule: Schedule, signal: AbortSignal): Promise<void> {
  const run = newManagedRun(needs, schedule);
  try {
    const start = await startState(run, signal);
    await runDeployment(run, start, managedActions, signal);
    if (run.hangingStorage !== undefined) throw run.hangingStorage;
  } catch (error) {
    if (!signal.aborted) throw error;
    needs.system.log('info', 'Stopped; an update in flight goes on at the next start');
  } finally {
    await run.release?.();
  }
}

function newManagedRun(needs: DaemonNeeds, schedule: Schedule): ManagedRun {
  const { server, inventory, paths } = needs;
  const limits = { longestMs: needs.schedule.retryPollIntervalMs, count: needs.schedule.retryPollCount };
  const run: ManagedRun = {
    ...newDeploymentRun(needs, 'managed', (stop, wanted) =>
      server.download(
        { uri: deploymentOf(run).uri, renew: (renewing) => renewLink(run, renewing), ...wanted },
        stop,
      ),
    ),
    server,
    inventory,
    schedule,
    newBackoff: () => newBackoff(limits),
    takeLock: updateLock(paths.datastore),
    release: undefined,
    deploymentLog: undefined,
  };
  return run;
}

/** Idle_Enter, or where the record of an update in flight says; the lock is then held. */
async function startState(run: ManagedRun, signal: AbortSignal): Promise<DeploymentState> {
  run.release = await lockWhenFree(run, signal);
  const { state } = await run.store.read();
  if (state !== undefined) return resume(run, state);
  await installBootstrapArtifact(run.needs, run.store, signal);
  await run.release();
  run.release = undefined;
  return 'Idle_Enter';
}

async function resume(run: ManagedRun, record: ManagedRecord): Promise<DeploymentState> {
  const saved = fromManagedRecord(record);
  const known = Object.hasOwn(afterPowerCut, record.Name)
    ? afterPowerCut[record.Name as SavedName]
    : afterPowerCutElsewhere;
  run.deployment = saved;
  run.recordName = record.Name;
  await startDeploymentLog(run, 'continued');
  const { at, outcome } =
    known.at === 'ReportDownloading' && !(await mayStartAgain(run)) ? afterPowerCutInVain : known;
  changeDeployment(run, {
    outcome: outcome === 'asSaved' ? saved.outcome : outcome,
    // Nothing was changed yet, and a download may be interrupted often while it gets on; `mayStartAgain` bounds it.
    ...(known.at === 'ReportDownloading' ? { storeCount: 0 } : {}),
  });
  run.log(
    'info',
    `Going on with deployment ${saved.id} at ${at}, after it was interrupted in ${record.Name}`,
  );
  try {
    // Loading counts, too: a device that restarts in the same state again and again must come to an end.
    await saveAgain(run);
  } catch (error) {
    run.log('error', `Could not save that the deployment was loaded: ${wordsOf(error)}`);
  }
  return isStateLoop(run, at) ? 'StateLoop' : at;
}

/** A standalone command holds the lock while it runs, which is not for ever. */
async function lockWhenFree(run: ManagedRun, signal: AbortSignal) {
  for (;;) {
    const release = await run.takeLock();
    if (release !== 'heldByOther') return release;
    run.log('info', 'Waiting for a standalone update to end');
    await run.needs.system.clock.sleep(lockRetryMs, signal);
  }
}

const lockRetryMs = 1000;
