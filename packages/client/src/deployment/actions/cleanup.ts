import { inconsistentName, softwareAfter, softwareInstalled } from '../../provides-store/apply-provides.ts';
import {
  changeDeployment,
  deploymentOf,
  installerOf,
  recordOf,
  treeOf,
  type DeploymentRun,
} from '../deployment-run.ts';
import type { ManagedRun } from '../managed-run.ts';
import { removeSavedDownload } from '../saved-download.ts';
import { onlyPayload, type Deployment } from '../saved-deployment.ts';
import { outcomeMoves } from '../deployment-states.ts';

/** What the device says of its software from now on, and the record of the last state, in one write. */
export async function saveProvides(run: DeploymentRun): Promise<'success'> {
  const deployment = deploymentOf(run);
  const software = softwareAfter(deployment.outcome, await run.store.read(), providesOf(deployment));
  await run.store.update({ ...software, ...recordOf(run, run.kind === 'managed' ? 'cleanup' : 'Cleanup') });
  return 'success';
}

/** The installer's last call, if it was ever called, and its tree removed whatever it says. */
export async function cleanup(run: DeploymentRun, signal: AbortSignal): Promise<'success'> {
  const { files } = run.needs.system;
  const tree = treeOf(run);
  const [payload] = deploymentOf(run).payloads;
  const wasCalled = (await files.kind(tree)) !== undefined && typeof payload?.type === 'string';
  try {
    if (wasCalled) {
      const installer = await installerOf(run);
      await installer.cleanup(signal);
    }
  } finally {
    if (!signal.aborted) {
      await files.removeDurably(tree);
      await removeSavedDownload(files, run.needs.paths.datastore);
    }
  }
  return 'success';
}

/** A deployment that went round too often ends here, whatever it has done; nobody can say what the device runs. */
export async function endStateLoop(run: DeploymentRun): Promise<'success'> {
  const deployment = deploymentOf(run);
  changeDeployment(run, { outcome: outcomeMoves[deployment.outcome].failure });
  if (deployment.payloads.length > 0) {
    const software = softwareInstalled(await run.store.read(), providesOf(deployment));
    await run.store.update({ ...software, 'artifact-name': inconsistentName(deployment.artifactName) });
  }
  return 'success';
}

export async function clearDeployment(run: DeploymentRun): Promise<'success'> {
  await run.store.update(run.kind === 'managed' ? { state: undefined } : { 'standalone-state': undefined });
  return 'success';
}

/** The log is closed, others may update, and the server hears what the device now is. */
export async function endDeployment(run: ManagedRun): Promise<'success' | 'stop'> {
  run.log('info', 'End of the deployment');
  run.log = run.needs.system.log;
  run.hangingStorage ??= run.deploymentLog?.hanging();
  run.deploymentLog = undefined;
  run.deployment = undefined;
  run.recordName = undefined;
  run.installer = undefined;
  await run.release?.();
  run.release = undefined;
  run.schedule.inventoryNow();
  return run.hangingStorage === undefined ? 'success' : 'stop';
}

function providesOf({ artifactName, artifactGroup, payloads }: Deployment) {
  if (payloads.length === 0) return { artifactName, artifactGroup };
  const { provides, clearsProvides } = onlyPayload(payloads);
  return { artifactName, artifactGroup, provides, clearsProvides };
}
