import { join } from 'node:path';
import { ClientError, wordsOf } from '../client-error.ts';
import type { Clock, Files, Log, ProcessResult, Processes } from '../system/system.ts';
import { requireTrustedProgram } from './trusted-program.ts';

export interface StateScriptNeeds {
  readonly files: Files;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Log;
  /** Scripts of the root file system: Idle, Sync, Download. */
  readonly rootfsScripts: string;
  /** Scripts of the artifact in flight: all others. */
  readonly artifactScripts: string;
  readonly limits: {
    readonly stateScriptTimeoutMs: number;
    readonly stateScriptRetryIntervalMs: number;
    readonly stateScriptRetryTimeoutMs: number;
  };
}

/** Which scripts of a phase are run. */
export type StateScriptRule =
  | 'untilFailure' //  the first that fails ends the phase
  | 'everyScript'; //  exit codes are logged and ignored: phases Error and Idle, and the way on after a failed rollback

/**
 * Runs the state scripts of a phase such as `ArtifactInstall_Enter`, in the order of their names (client contract 12). Resolves
 * when the phase went well; throws `ClientError` when a script failed, or the directory's `version` file forbids to run any.
 */
export async function runStateScripts(
  phase: string,
  rule: StateScriptRule,
  needs: StateScriptNeeds,
  signal: AbortSignal,
): Promise<void> {
  const directory = scriptsDirectory(phase, needs);
  await checkScriptsVersion(needs.files, directory);
  for (const path of await findStateScripts(phase, directory, needs.files)) {
    try {
      await runStateScript(path, needs, signal);
    } catch (error) {
      if (signal.aborted || rule === 'untilFailure') throw error;
      needs.log('warning', `${wordsOf(error)} (ignored in ${phase})`);
    }
  }
}

/**
 * Throws unless the directory's `version` file is absent or begins with 2 or 3. An update that would leave the device with scripts
 * it cannot run must not be committed.
 */
export async function checkScriptsVersion(files: Files, directory: string): Promise<void> {
  const path = join(directory, 'version');
  const bytes = await files.read(path, 4096);
  if (bytes === undefined) return;
  const [version = ''] = new TextDecoder().decode(bytes).trim().split(/\s+/);
  if (version === '2' || version === '3') return;
  throw new ClientError(
    'scriptsVersion',
    `State scripts in ${directory} are of version '${version.slice(0, 20)}', and this client runs versions 2 and 3: correct ${path}.`,
    { path },
  );
}

/** Paths of the executable scripts of a phase: `<phase>_NN` or `<phase>_NN_text`, in the order of their names. */
async function findStateScripts(phase: string, directory: string, files: Files): Promise<readonly string[]> {
  const ofPhase = new RegExp(`^${phase}_[0-9][0-9](_\\S+)?$`);
  const paths: string[] = [];
  for (const name of (await files.list(directory)) ?? []) {
    if (!ofPhase.test(name)) continue;
    const path = join(directory, name);
    const found = await files.kind(path);
    if (found?.kind === 'file' && found.executable) paths.push(path);
  }
  return paths;
}

const scriptsDirectory = (phase: string, needs: StateScriptNeeds): string =>
  /^(Idle|Sync|Download)_/.test(phase) ? needs.rootfsScripts : needs.artifactScripts;

/** Exit code with which a script asks to be run again later. */
const retryLater = 21;

async function runStateScript(path: string, needs: StateScriptNeeds, signal: AbortSignal): Promise<void> {
  const { stateScriptTimeoutMs, stateScriptRetryIntervalMs, stateScriptRetryTimeoutMs } = needs.limits;
  await requireTrustedProgram(path);
  needs.log('info', `Running state script ${path}`);
  let giveUpAt: number | undefined;
  for (;;) {
    const result = await needs.processes.run(path, [], {
      timeoutMs: stateScriptTimeoutMs,
      maxOutputBytes: maxLoggedBytes,
      onLine: (stream, line) =>
        needs.log('info', `Collected output (${stream}) while running script: ${line}`),
      signal,
    });
    if (result.exitCode === 0) return;
    if (result.exitCode !== retryLater) {
      throw new ClientError(
        'stateScriptFailed',
        `State script ${path} ${endOf(result, stateScriptTimeoutMs)}`,
        {
          path,
          exitCode: result.exitCode,
        },
      );
    }
    // The time is counted from the first request on, and a wait that would pass its end is not begun in vain.
    giveUpAt ??= needs.clock.now() + stateScriptRetryTimeoutMs;
    const waitMs = Math.min(stateScriptRetryIntervalMs, giveUpAt - needs.clock.now());
    if (waitMs > 0) await needs.clock.sleep(waitMs, signal);
    if (needs.clock.now() >= giveUpAt) {
      throw new ClientError(
        'stateScriptFailed',
        `State script ${path} asked to be run later (exit code 21) for longer than ${stateScriptRetryTimeoutMs / 1000} s; given up`,
        { path, exitCode: retryLater },
      );
    }
    needs.log('info', `State script ${path} asked to be run again later`);
  }
}

const maxLoggedBytes = 10 * 1024;

/** How a program ended, as the end of a sentence. */
export function endOf(result: ProcessResult, timeoutMs: number): string {
  if (result.timedOut) return `did not end within ${timeoutMs / 1000} s and was ended`;
  if (result.exitCode === undefined) return `was ended by ${result.signal ?? 'a signal'}`;
  return `failed with exit code ${result.exitCode}`;
}
