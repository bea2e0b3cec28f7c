import { runCommand } from '../commands/run-command.ts';
import { silentLog } from '../log.ts';
import { virtualDevicesOfParent } from '../virtual-devices.ts';
import type { CommandResult } from './server-process.ts';

/**
 * Runs a command to its end in this process, which is a tenth of the time of one of its own; `server-process.ts` has the real one. For
 * commands that end by themselves.
 */
export async function runCommandHere(
  args: readonly string[],
  input = '',
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const printed: string[] = [];
  const errors: string[] = [];
  const code = await runCommand(args, {
    environment,
    clock: Date.now,
    log: () => silentLog,
    print: (text) => printed.push(text),
    printError: (text) => errors.push(text),
    readLine: () => Promise.resolve(input.split('\n', 1)[0] ?? ''),
    virtualDevices: virtualDevicesOfParent({ on: () => undefined }),
    stopRequested: () => Promise.resolve(),
  });
  return { code, stdout: printed.join('\n'), stderr: errors.join('\n') };
}
