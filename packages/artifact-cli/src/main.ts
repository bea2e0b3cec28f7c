import { runCommand } from './run-command.ts';

/** Builds the real world and runs the command line of this process under the given program name. */
export async function main(programName: string): Promise<void> {
  const controller = new AbortController();
  let endedBy: NodeJS.Signals | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      endedBy = signal;
      controller.abort(new Error(`ended by ${signal}`));
    });
  }
  // A reader that has seen enough, as `head` does, is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exitCode = 1;
    controller.abort(error);
  });
  process.exitCode = await runCommand(process.argv.slice(2), {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    isTerminal: process.stderr.isTTY,
    environment: process.env,
    programName,
    signal: controller.signal,
  });
  // After cleaning up it dies of the signal, as whoever sent it expects: a shell then ends the script too, and shows 128 + its number.
  if (endedBy !== undefined) process.kill(process.pid, endedBy);
}
