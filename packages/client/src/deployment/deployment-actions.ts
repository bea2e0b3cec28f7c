import type { DeploymentRun } from './deployment-run.ts';
import type { ActionName, DeploymentState, EventOf } from './deployment-states.ts';
import { download } from './actions/download.ts';
import { artifactInstall, needsArtifactReboot } from './actions/install.ts';
import {
  artifactReboot,
  artifactRollbackReboot,
  artifactVerifyReboot,
  artifactVerifyRollbackReboot,
} from './actions/reboot.ts';
import { artifactCommit, beforeCommit } from './actions/commit.ts';
import { artifactRollback, needsRollbackReboot, supportsRollback } from './actions/rollback.ts';
import { artifactFailure } from './actions/failure.ts';
import { cleanup, clearDeployment, endDeployment, endStateLoop, saveProvides } from './actions/cleanup.ts';
import { pollForDeployment, submitInventory, waitForWork } from './actions/poll.ts';
import {
  reportCommitting,
  reportDownloading,
  reportInstalling,
  reportOutcome,
  reportRebooting,
} from './actions/report-status.ts';
import { runEveryScript, runScripts } from './actions/scripts.ts';
import type { ManagedRun } from './managed-run.ts';

/** One function an action of the table; what it may say follows from the table. What it throws is logged and is a `failure`. */
export type Actions<Run extends DeploymentRun> = {
  readonly [A in ActionName]: (run: Run, signal: AbortSignal, state: DeploymentState) => Promise<EventOf<A>>;
};

/** The actions of an update that the server ordered. */
// prettier-ignore
export const managedActions: Actions<ManagedRun> = {
  nothing: async () => 'success',
  runScripts, runEveryScript,
  waitForWork, submitInventory, pollForDeployment,
  reportDownloading, reportInstalling, reportRebooting, reportCommitting, reportOutcome,
  download,
  artifactInstall, needsArtifactReboot,
  artifactReboot, artifactVerifyReboot,
  beforeCommit, artifactCommit,
  supportsRollback, artifactRollback, needsRollbackReboot, artifactRollbackReboot, artifactVerifyRollbackReboot,
  artifactFailure,
  saveProvides, cleanup, endStateLoop, clearDeployment, endDeployment,
};
