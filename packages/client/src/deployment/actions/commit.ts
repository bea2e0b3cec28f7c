import { checkScriptsVersion } from '../../state-script/state-scripts.ts';
import { installerOf, type DeploymentRun } from '../deployment-run.ts';
import type { ManagedRun } from '../managed-run.ts';

/** The new software must show that it can authenticate by itself: without a way to the server it could never be replaced. */
export async function beforeCommit(run: ManagedRun): Promise<'success'> {
  run.server.forgetToken();
  return 'success';
}

export async function artifactCommit(run: DeploymentRun, signal: AbortSignal): Promise<'success'> {
  await checkScriptsVersion(run.needs.system.files, run.needs.paths.rootfsScripts);
  const installer = await installerOf(run);
  await installer.artifactCommit(signal);
  return 'success';
}
