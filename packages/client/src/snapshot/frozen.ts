import { spawn } from 'node:child_process';
import { ClientError } from '../client-error.ts';
import type { Processes } from '../system/system.ts';

/** While it holds, nothing is written to the file system: who tries waits. */
export interface Frozen {
  /** Says that the work goes on. Without a word for `longestSilenceMs` the file system is thawed. */
  beat(): void;
  /** Aborts when it was thawed because nobody said a word. */
  readonly thawed: AbortSignal;
  /** Resolves when the file system is as before; safe to call twice. */
  thaw(): Promise<void>;
}

export const longestSilenceMs = 30_000;
const programMs = 60_000;

/**
 * The watchdog, a process of its own, since this one may be killed, or may itself wait for the file system it has frozen. It lives in a
 * session of its own, so that Ctrl-C does not reach it, and thaws when its input ends or says nothing for too long.
 */
const watchdog = `
trap '' HUP INT QUIT TERM
while beat=$(timeout "$2" head -c 1) && [ -n "$beat" ]; do :; done
exec fsfreeze --unfreeze "$1"
`;

/**
 * Freezes the file system mounted there, by `fsfreeze` of util-linux (ioctl FIFREEZE, which Node does not have). What was written is
 * on the medium then. INVARIANT: from before it is frozen until it is thawed a watchdog runs that thaws it, whatever becomes of us.
 *
 * Throws `ClientError` `noSnapshot` when it cannot be frozen: no such program, no support by the file system, not root.
 */
export async function freeze(
  mountPoint: string,
  { processes, environment, silenceMs = longestSilenceMs }: FreezeNeeds,
  signal: AbortSignal,
): Promise<Frozen> {
  const guard = spawn('/bin/sh', ['-c', watchdog, 'sh', mountPoint, String(silenceMs / 1000)], {
    env: { ...environment },
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  });
  let complaint = '';
  guard.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-1000)));
  guard.stdin.on('error', () => undefined);
  const ended = new AbortController();
  const exited = new Promise<number>((resolve) => {
    guard.once('error', () => resolve(127));
    guard.once('close', (code) => resolve(code ?? 1));
  });
  void exited.then(() => {
    ended.abort(
      new ClientError(
        'noSnapshot',
        `Nothing could be written for ${silenceMs / 1000} s, and the file system at ${mountPoint} was thawed: what there is of the snapshot is worth nothing.`,
      ),
    );
  });

  const result = await processes
    .run('fsfreeze', ['--freeze', mountPoint], { timeoutMs: programMs, signal })
    .catch((cause: unknown) => ({
      exitCode: undefined,
      stderr: cause instanceof Error ? cause.message : '',
    }));
  if (result.exitCode !== 0) {
    // Not thawed by us: it may be frozen by somebody else.
    guard.kill('SIGKILL');
    await exited;
    signal.throwIfAborted();
    throw new ClientError(
      'noSnapshot',
      `Cannot freeze the file system at ${mountPoint}, and a copy of one that changes is worth nothing: ${result.stderr.trim().slice(0, 300)} ` +
        'This needs root and the program fsfreeze of util-linux; or remount it read-only first.',
    );
  }
  return {
    beat: () => {
      if (!ended.signal.aborted) guard.stdin.write('.');
    },
    thawed: ended.signal,
    thaw: async () => {
      guard.stdin.end();
      const code = await exited;
      if (code === 0) return;
      throw new ClientError(
        'noSnapshot',
        `Cannot thaw the file system at ${mountPoint} (${complaint.trim()}). Do it by hand, or nothing can be written to it: fsfreeze --unfreeze ${mountPoint}`,
      );
    },
  };
}

export interface FreezeNeeds {
  readonly processes: Pick<Processes, 'run'>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly silenceMs?: number;
}
