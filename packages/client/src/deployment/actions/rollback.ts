import {
  changeDeployment,
  deploymentOf,
  installerOf,
  saveAgain,
  type DeploymentRun,
} from '../deployment-run.ts';
import { askForReboot } from './install.ts';

/** `nothingToDo`: the installer cannot roll back, and the device stays with what it has. */
export async function supportsRollback(
  run: DeploymentRun,
  signal: AbortSignal,
): Promise<'success' | 'nothingToDo'> {
  if (await askForRollback(run, signal)) return 'success';
  run.log('error', 'The payload cannot be rolled back. The software may be in an inconsistent state.');
  return 'nothingToDo';
}

/** Asks the installer once in the life of a deployment. */
export async function askForRollback(run: DeploymentRun, signal: AbortSignal): Promise<boolean> {
  const known = deploymentOf(run).supportsRollback;
  if (known !== undefined) return known;
  const installer = await installerOf(run);
  const supported = await installer.supportsRollback(signal);
  changeDeployment(run, { supportsRollback: supported });
  await saveAgain(run);
  return supported;
}

export async function artifactRollback(run: DeploymentRun, signal: AbortSignal): Promise<'success'> {
  const installer = await installerOf(run);
  await installer.artifactRollback(signal);
  return 'success';
}

export async function needsRollbackReboot(
  run: DeploymentRun,
  signal: AbortSignal,
): Promise<'success' | 'nothingToDo'> {
  return (await askForReboot(run, signal)) === 'No' ? 'nothingToDo' : 'success';
}
