import type { RebootAnswer } from '../payload-installer.ts';
import {
  changeDeployment,
  deploymentOf,
  installerOf,
  saveAgain,
  type DeploymentRun,
} from '../deployment-run.ts';

export async function artifactInstall(run: DeploymentRun, signal: AbortSignal): Promise<'success'> {
  const installer = await installerOf(run);
  await installer.artifactInstall(signal);
  return 'success';
}

/** `nothingToDo`: the payload is active without a reboot. */
export async function needsArtifactReboot(
  run: DeploymentRun,
  signal: AbortSignal,
): Promise<'success' | 'nothingToDo'> {
  return (await askForReboot(run, signal)) === 'No' ? 'nothingToDo' : 'success';
}

/** Asks the installer and keeps the answer, so that it holds after a power cut. */
export async function askForReboot(run: DeploymentRun, signal: AbortSignal): Promise<RebootAnswer> {
  const installer = await installerOf(run);
  const reboot = await installer.needsArtifactReboot(signal);
  changeDeployment(run, { payloads: deploymentOf(run).payloads.map((payload) => ({ ...payload, reboot })) });
  await saveAgain(run);
  return reboot;
}
