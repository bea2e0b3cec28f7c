import type { Readable, Writable } from 'node:stream';

/** What the commands have of the outside besides files; `main.ts` gives the real one. */
export interface World {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Whether stderr is a terminal, where progress may be drawn. */
  readonly isTerminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `mender-artifact` or `tandem-artifact`: they differ in the default compression alone. */
  readonly programName: string;
  /** Aborted by SIGINT, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal;
}
