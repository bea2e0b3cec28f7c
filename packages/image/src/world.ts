import type { Writable } from 'node:stream';
import type { RunProgram } from './run-program.ts';

/** What the builder has of the outside besides files; `main.ts` gives the real one. */
export interface World {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly run: RunProgram;
  /** The same when `signal` is aborted: for cleaning up. */
  readonly runAtEnd: RunProgram;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly userId: number;
  readonly nowMs: () => number;
  /** Where the boards lie that come with the builder. */
  readonly boardDirectory: string;
  readonly temporaryDirectory: string;
  /** Aborted by SIGINT, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal;
}
