import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface RunOptions {
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const limitMs = 600_000;

/** Runs a build tool to its end; throws with what it said when it fails or takes longer than ten minutes. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { directory, environment = {} }: RunOptions = {},
): Promise<string> {
  try {
    const { stdout } = await run(program, [...args], {
      cwd: directory,
      // The language and the zone of whoever builds must not show in what is built.
      env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...environment },
      timeout: limitMs,
      maxBuffer: 16 * 1024 * 1024,
    });
    return stdout;
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    throw new Error(`${program} ${args.join(' ')} failed${said === '' ? '' : `: ${said}`}`, { cause });
  }
}
