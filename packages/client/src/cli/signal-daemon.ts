import type { Processes } from '../system/system.ts';

const unit = 'mender-updated';

/**
 * Sends a signal to the daemon that systemd runs (client contract 2.3). Throws when systemd cannot be asked or runs none.
 */
export async function signalDaemon(
  processes: Pick<Processes, 'run'>,
  kill: (pid: number, signal: NodeJS.Signals) => void,
  signalName: 'SIGUSR1' | 'SIGUSR2',
  signal: AbortSignal,
): Promise<void> {
  const result = await processes.run('systemctl', ['show', '--property=MainPID', unit], {
    timeoutMs: 30_000,
    signal,
  });
  const pid = Number(/^MainPID=(\d+)$/m.exec(result.stdout)?.[1] ?? '0');
  if (result.exitCode !== 0 || pid <= 0) {
    throw new Error(
      `Cannot find the running daemon: systemd has no process for the unit ${unit}. Start it first.`,
    );
  }
  kill(pid, signalName);
}
