import { installerOf, type DeploymentRun } from '../deployment-run.ts';

/** The installer is told that the update has failed, after any rollback. */
export async function artifactFailure(run: DeploymentRun, signal: AbortSignal): Promise<'success'> {
  const installer = await installerOf(run);
  await installer.artifactFailure(signal);
  return 'success';
}
