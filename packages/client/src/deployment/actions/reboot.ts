import { ClientError, wordsOf } from '../../client-error.ts';
import { installerOf, payloadOf, type DeploymentRun } from '../deployment-run.ts';
import type { ManagedRun } from '../managed-run.ts';

/**
 * Into the new software. Usually this does not come back: the process ends with the system, and the device goes on at
 * ArtifactVerifyReboot. A module that reboots only what it updates, a peripheral for one, does come back.
 */
export async function artifactReboot(run: ManagedRun, signal: AbortSignal): Promise<'success'> {
  const installer = await installerOf(run);
  return reboot(run, (rebootSignal) => installer.artifactReboot(rebootSignal), signal);
}

export async function artifactVerifyReboot(run: DeploymentRun, signal: AbortSignal): Promise<'success'> {
  const installer = await installerOf(run);
  await installer.artifactVerifyReboot(signal);
  return 'success';
}

/** Back into the old software; the verification that follows decides whether it has worked. */
export async function artifactRollbackReboot(run: ManagedRun, signal: AbortSignal): Promise<'success'> {
  const installer = await installerOf(run);
  return reboot(run, (rebootSignal) => installer.artifactRollbackReboot(rebootSignal), signal);
}

/** `retry`: this is not yet the old software; reboot again, until the loop limit. */
export async function artifactVerifyRollbackReboot(
  run: DeploymentRun,
  signal: AbortSignal,
): Promise<'success' | 'retry'> {
  try {
    const installer = await installerOf(run);
    await installer.artifactVerifyRollbackReboot(signal);
    return 'success';
  } catch (error) {
    signal.throwIfAborted();
    run.log('error', `The device has not come back to the old software: ${wordsOf(error)}`);
    return 'retry';
  }
}

async function reboot(
  run: ManagedRun,
  byInstaller: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<'success'> {
  await run.deploymentLog?.sync();
  if (payloadOf(run).reboot !== 'Automatic') {
    await byInstaller(signal);
    return 'success';
  }
  const { system, limits } = run.needs;
  run.log('info', 'Rebooting');
  await system.reboot(signal);
  const timeoutMs = limits.rebootTimeoutMs ?? 10 * 60_000;
  await system.clock.sleep(timeoutMs, signal);
  throw new ClientError(
    'rebootDidNotHappen',
    `The system was told to reboot and is still running ${timeoutMs / 1000} s later. Look for what holds up its shutdown.`,
  );
}
