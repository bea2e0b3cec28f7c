import { allProvides } from '../../provides-store/device-store.ts';
import { startDeploymentLog } from '../deployment-log.ts';
import type { ManagedRun } from '../managed-run.ts';
import { wordsOf } from '../update-error.ts';
import { retryAfterOf } from './report-status.ts';

export async function waitForWork(run: ManagedRun, signal: AbortSignal) {
  return run.schedule.nextWork(signal);
}

export async function submitInventory(run: ManagedRun, signal: AbortSignal): Promise<'success' | 'failure'> {
  try {
    await run.server.submitInventory(await run.inventory(signal), signal);
    run.schedule.done('inventoryPoll');
    return 'success';
  } catch (error) {
    signal.throwIfAborted();
    run.log('error', `Could not send the inventory: ${wordsOf(error)}`);
    run.schedule.failed('inventoryPoll', retryAfterOf(error));
    return 'failure';
  }
}

/** Asks only while nobody updates this device by hand, and with an offer keeps others from it until the deployment has ended. */
export async function pollForDeployment(
  run: ManagedRun,
  signal: AbortSignal,
): Promise<'success' | 'failure' | 'nothingToDo'> {
  const release = await run.takeLock();
  if (release === 'heldByOther') {
    run.log('warning', 'Not asking for a deployment: a standalone update is running');
    run.schedule.done('deploymentPoll');
    return 'nothingToDo';
  }
  let offered = false;
  try {
    const records = await run.store.read();
    if (records['standalone-state'] !== undefined) {
      run.log(
        'warning',
        'Not asking for a deployment: a standalone update is in progress. Commit it or roll it back first.',
      );
      run.schedule.done('deploymentPoll');
      return 'nothingToDo';
    }
    const provides = { ...allProvides(records), device_type: await run.needs.deviceType() };
    const offer = await run.server.nextDeployment(provides, signal);
    run.schedule.done('deploymentPoll');
    if (offer === 'nothingToDo') return 'nothingToDo';
    offered = true;
    run.release = release;
    run.deployment = {
      id: offer.deploymentId,
      artifactName: offer.artifactName,
      offeredDeviceTypes: offer.deviceTypes,
      uri: offer.uri,
      payloads: [],
      outcome: 'noneFailed',
      storeCount: 0,
    };
    await startDeploymentLog(run, 'new');
    run.log('info', `Running deployment ${offer.deploymentId}: artifact ${offer.artifactName}`);
    return 'success';
  } catch (error) {
    signal.throwIfAborted();
    run.log('error', `Could not ask for a deployment: ${wordsOf(error)}`);
    run.schedule.failed('deploymentPoll', retryAfterOf(error));
    return 'failure';
  } finally {
    if (!offered) await release();
  }
}
