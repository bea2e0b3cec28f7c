import type { BootEnvironment } from '@tandem/boot-environment';
import { ClientError } from '../client-error.ts';
import type { Processes } from '../system/system.ts';

export interface EnvironmentTools {
  /** Prints all variables, `name=value` a line. */
  readonly print: string;
  /** Reads lines of a name and a value from its input when given `-s -`. */
  readonly set: string;
  /** What stands between the two; `probed` where that is another with other versions of the tool. */
  readonly separator: '=' | 'probed';
  /** Given to both first. */
  readonly args: readonly string[];
}

const toolTimeoutMs = 60_000;
const probeVariable = 'mender_uboot_separator';

/**
 * The bootloader's variables through its own tools (client contract 17.2). What was written is read back and compared: the
 * tools differ in what they take as input, and a flag that did not arrive must not be believed.
 */
export function toolEnvironment(
  processes: Pick<Processes, 'run'>,
  tools: EnvironmentTools,
  signal: AbortSignal,
): BootEnvironment {
  const runTool = async (program: string, args: readonly string[], input?: string) => {
    const options = { timeoutMs: toolTimeoutMs, maxOutputBytes: 4 * 1024 * 1024, signal };
    const result = await processes.run(program, [...tools.args, ...args], {
      ...options,
      ...(input === undefined ? {} : { input }),
    });
    if (result.exitCode === 0) return result.stdout;
    const how = result.timedOut
      ? 'took more than 60 s'
      : `ended with ${result.signal ?? `exit code ${result.exitCode}`}`;
    throw new ClientError('badBootEnvironment', `${program} ${how}: ${result.stderr.trim().slice(0, 500)}`);
  };

  const read = async () => {
    const variables = new Map<string, string>();
    for (const line of (await runTool(tools.print, [])).split('\n')) {
      const equals = line.indexOf('=');
      if (equals > 0) variables.set(line.slice(0, equals), line.slice(equals + 1));
    }
    return variables;
  };

  /**
   * Old versions of U-Boot's fw_setenv take a space and only that: of `name=value` they take the whole for a name, find the variable
   * `name`, and remove it. So it is tried with a variable nobody reads, which stays as the mark of a tool that takes spaces.
   */
  const separatorOf = async (): Promise<string> => {
    if (tools.separator === '=') return '=';
    if ((await read()).get(probeVariable) === '1') return ' ';
    // A tool that takes no spaces may refuse the line or store something else; both is an answer.
    await runTool(tools.set, ['-s', '-'], `${probeVariable} 1\n`).catch((error: unknown) => {
      signal.throwIfAborted();
      if (!(error instanceof ClientError)) throw error;
    });
    return (await read()).get(probeVariable) === '1' ? ' ' : '=';
  };

  return {
    read,
    async write(changes) {
      const separator = await separatorOf();
      const lines = Object.entries(changes).map(([name, value]) => `${name}${separator}${value}\n`);
      await runTool(tools.set, ['-s', '-'], lines.join(''));
      const now = await read();
      const lost = Object.entries(changes).filter(([name, value]) => (now.get(name) ?? '') !== value);
      if (lost.length === 0) return;
      throw new ClientError(
        'badBootEnvironment',
        `${tools.set} did not store ${lost.map(([name, value]) => `${name}=${value}`).join(', ')}.`,
      );
    },
  };
}
