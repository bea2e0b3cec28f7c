import { ClientError, wordsOf } from '../../client-error.ts';
import { allProvides, type DeviceRecords } from '../../provides-store/device-store.ts';
import { startDeploymentLog } from '../deployment-log.ts';
import { changeDeployment, deploymentOf } from '../deployment-run.ts';
import type { Release } from '../../provides-store/update-lock.ts';
import type { ManagedRun } from '../managed-run.ts';
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

/** Another link to the artifact of the deployment in flight: the server offers that deployment again, with a link of now. */
export async function renewLink(run: ManagedRun, signal: AbortSignal): Promise<string> {
  const { id, artifactName } = deploymentOf(run);
  const offer = await run.server.nextDeployment(await deviceProvides(run, await run.store.read()), signal);
  if (offer !== 'nothingToDo' && offer.deploymentId === id && offer.artifactName === artifactName) {
    changeDeployment(run, { uri: offer.uri });
    return offer.uri;
  }
  const instead = offer === 'nothingToDo' ? 'nothing' : `deployment ${offer.deploymentId}`;
  throw new ClientError(
    'artifactUnreadable',
    `Cannot go on with the download: the link to the artifact is not valid any more, and the server now offers ${instead} instead of deployment ${id}.`,
  );
}

const deviceProvides = async (run: ManagedRun, records: DeviceRecords) => ({
  ...allProvides(records),
  device_type: await run.needs.deviceType(),
});

/** Asks only while nobody updates this device by hand, and with an offer keeps others from it until the deployment has ended. */
export async function pollForDeployment(
  run: ManagedRun,
  signal: AbortSignal,
): Promise<'success' | 'failure' | 'nothingToDo'> {
  let release: Release | 'heldByOther';
  try {
    release = await run.takeLock();
  } catch (error) {
    run.log('error', `Could not take the update lock, so nothing can be updated: ${wordsOf(error)}`);
    run.schedule.failed('deploymentPoll', undefined);
    return 'failure';
  }
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
    const offer = await run.server.nextDeployment(await deviceProvides(run, records), signal);
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
