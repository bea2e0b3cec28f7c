import { join } from 'node:path';
import { ClientError, codeOf } from '../client-error.ts';
import { deviceStore, type DeviceRecords, type DeviceStore } from '../provides-store/device-store.ts';
import type { ArtifactRequest } from '../server-connection/resumable-download.ts';
import type { Log } from '../system/system.ts';
import { findInstaller } from '../update-module/find-installer.ts';
import { workTreePath } from '../update-module/work-tree.ts';
import type { DeploymentEvent, DeploymentState, InState } from './deployment-states.ts';
import type { DeploymentNeeds } from './deployment-needs.ts';
import type { PayloadInstaller } from './payload-installer.ts';
import {
  onlyPayload,
  toManagedRecord,
  toStandaloneRecord,
  type Deployment,
  type Payload,
} from './saved-deployment.ts';

/**
 * What one run of the state machine carries from state to state. The fields that change are changed by the actions alone, one at
 * a time, in the order of the table.
 */
export interface DeploymentRun {
  readonly needs: DeploymentNeeds;
  readonly store: DeviceStore;
  readonly kind: 'managed' | 'standalone';
  /** The artifact's bytes, from the server or from where the user said; the rest of them only for a managed deployment. */
  readonly openArtifact: (signal: AbortSignal, wanted: WantedBytes) => AsyncIterable<Uint8Array>;
  /** Told of every event, when it has been taken into account. */
  readonly observe: (state: DeploymentState, event: DeploymentEvent) => void;
  /** Into the system's log, and while a deployment is in flight into that deployment's own. */
  log: Log;
  deployment: Deployment | undefined;
  /** The name under which the deployment was last saved: a state's `saves`, or its `inState`. */
  recordName: string | undefined;
  installer: PayloadInstaller | undefined;
  /** That a call to a file or device has not come back: no other deployment is begun then. */
  hangingStorage: Error | undefined;
}

/** Which of an artifact's bytes, and who is told what artifact it is. */
export type WantedBytes = Pick<ArtifactRequest, 'resume' | 'onIdentity'>;

export const newDeploymentRun = (
  needs: DeploymentNeeds,
  kind: DeploymentRun['kind'],
  openArtifact: DeploymentRun['openArtifact'],
): DeploymentRun => ({
  needs,
  kind,
  openArtifact,
  observe: () => undefined,
  store: deviceStore(needs.system.files, needs.paths.datastore, needs.system.log),
  log: needs.system.log,
  deployment: undefined,
  recordName: undefined,
  installer: undefined,
  hangingStorage: undefined,
});

/** The deployment in flight. */
export function deploymentOf(run: DeploymentRun): Deployment {
  if (run.deployment === undefined) {
    throw new ClientError(
      'noDeployment',
      'No update is in flight here: the table of states let an action run too early',
    );
  }
  return run.deployment;
}

export function changeDeployment(run: DeploymentRun, change: Partial<Deployment>): Deployment {
  run.deployment = { ...deploymentOf(run), ...change };
  return run.deployment;
}

/** Writes what is now known of the deployment under the name it was last saved as; nothing when it was not yet saved. */
export async function saveAgain(run: DeploymentRun): Promise<void> {
  if (run.recordName === undefined) return;
  await run.store.update(recordOf(run, run.recordName));
}

/** The records to write to save the deployment under a name; counted as one save. */
export function recordOf(run: DeploymentRun, name: string): Partial<DeviceRecords> {
  const { storeCount } = deploymentOf(run);
  const deployment = changeDeployment(run, { storeCount: storeCount + 1 });
  run.recordName = name;
  return run.kind === 'managed'
    ? { state: toManagedRecord(name, deployment) }
    : // A standalone run saves under the names of the column `inState` alone.
      { 'standalone-state': toStandaloneRecord(name as InState, deployment) };
}

/** What installs the payload in flight; found once, also after a power cut. */
export async function installerOf(run: DeploymentRun): Promise<PayloadInstaller> {
  if (run.installer === undefined) {
    const { system, paths, limits, builtInInstallers } = run.needs;
    const { type } = payloadOf(run);
    if (type === null) throw new ClientError('noDeployment', 'An empty payload has nothing to install');
    run.installer = await findInstaller(
      type,
      { path: treeOf(run), log: (level, message) => run.log(level, message) },
      {
        files: system.files,
        processes: system.processes,
        clock: system.clock,
        modules: paths.modules,
        moduleTimeoutMs: limits.moduleTimeoutMs,
        builtIn: builtInInstallers,
      },
    );
  }
  return run.installer;
}

export const payloadOf = (run: DeploymentRun): Payload => onlyPayload(deploymentOf(run).payloads);

export const treeOf = (run: DeploymentRun): string => workTreePath(run.needs.paths.datastore, 0);

export const artifactScriptsOf = (run: DeploymentRun): string => join(run.needs.paths.datastore, 'scripts');

/** A call that hangs stays in this process: once the deployment has ended, the process must make room for another. */
export function noteHangingStorage(run: DeploymentRun, error: unknown): void {
  if (codeOf(error) === 'storageHangs' && error instanceof Error) run.hangingStorage = error;
}
