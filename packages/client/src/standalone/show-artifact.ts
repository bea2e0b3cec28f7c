import { wordsOf } from '../client-error.ts';
import type { DeploymentNeeds } from '../deployment/deployment-needs.ts';
import { allProvides, deviceStore, type DeviceRecords } from '../provides-store/device-store.ts';
import { updateLock } from '../provides-store/update-lock.ts';
import { installBootstrapArtifact } from './bootstrap-artifact.ts';

/** The name of the software on the device, or `unknown`. */
export async function showArtifact(needs: DeploymentNeeds, signal: AbortSignal): Promise<string> {
  return (await recordsToShow(needs, signal))['artifact-name'] ?? 'unknown';
}

/** All provides as `key=value`, sorted. */
export async function showProvides(needs: DeploymentNeeds, signal: AbortSignal): Promise<readonly string[]> {
  return Object.entries(allProvides(await recordsToShow(needs, signal)))
    .map(([key, value]) => `${key}=${value}`)
    .toSorted();
}

/** A device that has never been asked takes its name from the bootstrap artifact first. Who may only read sees what there is. */
async function recordsToShow(needs: DeploymentNeeds, signal: AbortSignal): Promise<DeviceRecords> {
  const { system, paths } = needs;
  const store = deviceStore(system.files, paths.datastore, system.log);
  const records = await store.read();
  if (records['artifact-name'] !== undefined) return records;
  try {
    const release = await updateLock(paths.datastore)();
    if (release === 'heldByOther') return records;
    try {
      await installBootstrapArtifact(needs, store, signal);
    } finally {
      await release();
    }
  } catch (error) {
    signal.throwIfAborted();
    system.log('warning', `Could not look for a bootstrap artifact: ${wordsOf(error)}`);
  }
  return store.read();
}
