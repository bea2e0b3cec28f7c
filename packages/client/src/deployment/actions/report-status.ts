import { wordsOf } from '../../client-error.ts';
import type { ReportableStatus } from '../../server-connection/server-connection.ts';
import { deploymentOf } from '../deployment-run.ts';
import type { ManagedRun } from '../managed-run.ts';
import { requireDecompressor } from '../require-decompressor.ts';

/** Not before it is known that this device can read the artifact. */
export const reportDownloading = async (run: ManagedRun, signal: AbortSignal) => {
  await requireDecompressor(run, signal);
  return reportOnce(run, 'downloading', signal);
};
export const reportInstalling = async (run: ManagedRun, signal: AbortSignal) =>
  reportOnce(run, 'installing', signal);
export const reportRebooting = async (run: ManagedRun, signal: AbortSignal) =>
  reportOnce(run, 'rebooting', signal);

/** Tried for as long as the backoff allows: who cannot reach the server must not commit. */
export const reportCommitting = async (run: ManagedRun, signal: AbortSignal) =>
  reportUntilHeard(run, signal, async () =>
    run.server.reportStatus(deploymentOf(run).id, 'installing', signal),
  );

/** How the deployment ended, with its log when it failed. A failure to upload the log repeats both. */
export const reportOutcome = async (run: ManagedRun, signal: AbortSignal) =>
  reportUntilHeard(run, signal, async () => {
    const { id, outcome } = deploymentOf(run);
    const status = outcome === 'noneFailed' ? 'success' : 'failure';
    const answer = await run.server.reportStatus(id, status, signal);
    run.log('info', `Reported ${status} to the server`);
    if (status === 'failure' && answer === 'accepted') await uploadLog(run, id, signal);
    return answer;
  });

/** One attempt whose failure changes nothing: the server learns the status with the next report. */
async function reportOnce(
  run: ManagedRun,
  status: ReportableStatus,
  signal: AbortSignal,
): Promise<'success' | 'aborted'> {
  try {
    const answer = await run.server.reportStatus(deploymentOf(run).id, status, signal);
    return answer === 'aborted' ? 'aborted' : 'success';
  } catch (error) {
    signal.throwIfAborted();
    run.log('warning', `Could not report the status ${status}: ${wordsOf(error)} (going on)`);
    return 'success';
  }
}

async function reportUntilHeard(
  run: ManagedRun,
  signal: AbortSignal,
  report: () => Promise<'accepted' | 'aborted'>,
): Promise<'success' | 'failure' | 'aborted'> {
  const backoff = run.newBackoff();
  for (;;) {
    try {
      return (await report()) === 'aborted' ? 'aborted' : 'success';
    } catch (error) {
      signal.throwIfAborted();
      const waitMs = backoff.nextWaitMs();
      if (waitMs === 'giveUp') {
        run.log('error', `Could not report to the server: ${wordsOf(error)}; given up`);
        return 'failure';
      }
      const asked = retryAfterOf(error);
      run.log(
        'warning',
        `Could not report to the server: ${wordsOf(error)}; again in ${(asked ?? waitMs) / 1000} s`,
      );
      await run.needs.system.clock.sleep(asked ?? waitMs, signal);
    }
  }
}

/** A log that the server finds too large stays on the device alone. */
async function uploadLog(run: ManagedRun, id: string, signal: AbortSignal): Promise<void> {
  try {
    await run.server.uploadLog(id, (await run.deploymentLog?.messages()) ?? [], signal);
  } catch (error) {
    if (numberOf(error, 'status') !== 413) throw error;
    run.log('warning', `The server does not take the deployment's log: ${wordsOf(error)}`);
  }
}

/** How long the server asked to wait, when an error says so. */
export const retryAfterOf = (error: unknown): number | undefined => numberOf(error, 'retryAfterMs');

/** Read by field, so that the deployment depends on the connection's contract alone and on no implementation of it. */
function numberOf(error: unknown, field: 'status' | 'retryAfterMs'): number | undefined {
  if (!(error instanceof Error) || !(field in error)) return undefined;
  const value = (error as Error & Record<string, unknown>)[field];
  return typeof value === 'number' ? value : undefined;
}
