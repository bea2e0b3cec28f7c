import { askForReboot } from '../deployment/actions/install.ts';
import { askForRollback } from '../deployment/actions/rollback.ts';
import { artifactInstall } from '../deployment/actions/install.ts';
import { artifactCommit } from '../deployment/actions/commit.ts';
import { artifactVerifyReboot, artifactVerifyRollbackReboot } from '../deployment/actions/reboot.ts';
import { artifactRollback, supportsRollback } from '../deployment/actions/rollback.ts';
import { artifactFailure } from '../deployment/actions/failure.ts';
import { cleanup, clearDeployment, endStateLoop, saveProvides } from '../deployment/actions/cleanup.ts';
import { download } from '../deployment/actions/download.ts';
import { runEveryScript, runScripts } from '../deployment/actions/scripts.ts';
import type { Actions } from '../deployment/deployment-actions.ts';
import { recordOf, type DeploymentRun } from '../deployment/deployment-run.ts';

/**
 * The actions of an update started by hand. The states are those of a deployment; there is no server to report to, whoever started
 * it reboots, and what can be rolled back waits for a commit.
 */
// prettier-ignore
export const standaloneActions: Actions<DeploymentRun> = {
  nothing: async () => 'success',
  runScripts, runEveryScript,
  download,
  artifactInstall,
  needsArtifactReboot: async (run, signal) => {
    await askForReboot(run, signal);
    return 'nothingToDo';
  },
  beforeCommit: async (run, signal) => {
    if (!(await askForRollback(run, signal))) return 'success';
    await run.store.update(recordOf(run, 'Before_ArtifactCommit_Enter'));
    return 'stop';
  },
  artifactCommit,
  supportsRollback, artifactRollback,
  needsRollbackReboot: async () => 'nothingToDo',
  artifactFailure,
  saveProvides, cleanup, endStateLoop, clearDeployment,
  endDeployment: async () => 'stop',

  reportDownloading: async () => 'success',
  reportInstalling:  async () => 'success',
  reportRebooting:   async () => 'success',
  reportCommitting:  async () => 'success',
  reportOutcome:     async () => 'success',

  // Never reached: no state before them is entered.
  waitForWork: async () => 'stop',
  submitInventory: async () => 'failure',
  pollForDeployment: async () => 'nothingToDo',
  artifactReboot: async () => 'failure',
  artifactVerifyReboot,
  artifactRollbackReboot: async () => 'failure',
  artifactVerifyRollbackReboot,
};
