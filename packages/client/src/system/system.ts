/**
 * The boundary to the operating system. Everything the client does to the world goes through these; `linux-system.ts` is the
 * real one, tests hand in small others. Ask for the part you need, not the whole.
 */
export interface System {
  readonly files: Files;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Log;
  /** Runs the system's `reboot` program. Resolves when it was started; the process is then ended by the system. */
  reboot(signal: AbortSignal): Promise<void>;
}

/** Files, with durability said in each name: what resolves here has survived a power cut. */
export interface Files {
  /** Bytes of a file, or undefined when there is none. Throws when it is larger than `maxBytes`. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** Write temp, fsync, rename, fsync the directory. */
  writeDurably(path: string, content: Uint8Array | string, mode?: number): Promise<void>;
  /** Removes file or tree if it exists, then fsyncs the directory. */
  removeDurably(path: string): Promise<void>;
  /** Creates the directory and its parents and fsyncs what it made. */
  makeDirectoryDurably(path: string, mode?: number): Promise<void>;
  /** Names in a directory, sorted bytewise; undefined when there is none. */
  list(path: string): Promise<readonly string[] | undefined>;
  /** What the path is, links followed; undefined when there is nothing. */
  kind(
    path: string,
  ): Promise<{ readonly kind: 'file' | 'directory' | 'other'; readonly executable: boolean } | undefined>;
}

export interface ProcessResult {
  /** Exit code, or undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** True when it was ended because its time was up. */
  readonly timedOut: boolean;
  /** At most `maxOutputBytes` of each; the rest is discarded while still being drained. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly directory?: string;
  /** Added to the environment the client itself was started with. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * What the program reads; without it, nothing. Of content in pieces each counts only until the next is asked for; when it breaks off with
   * an error, so does the program.
   */
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** How its output becomes text: UTF-8, or each byte a character. */
  readonly outputEncoding?: 'utf8' | 'latin1';
  readonly timeoutMs: number;
  /** Of stdout and of stderr each; 64 KiB when not given. */
  readonly maxOutputBytes?: number;
  /** Told each line that is not blank as it comes, of what is kept (`maxOutputBytes`). */
  readonly onLine?: (stream: 'stdout' | 'stderr', line: string) => void;
  readonly signal: AbortSignal;
}

export interface Processes {
  /**
   * Runs a program in a process group of its own; on time-out or abort SIGTERM to the group, after a grace SIGKILL.
   * Rejects when the program cannot be started, and with the signal's reason when aborted, once the group is gone.
   */
  run(program: string, args: readonly string[], options: RunOptions): Promise<ProcessResult>;
  /** Like `run`, without waiting: for a program that is fed while it runs. */
  start(program: string, args: readonly string[], options: RunOptions): StartedProcess;
}

export interface StartedProcess {
  /** Settles as the promise of `run` does. */
  readonly exited: Promise<ProcessResult>;
  /** SIGTERM to the group, after the grace SIGKILL; does nothing once it has ended. */
  kill(): void;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after the time, or rejects with the signal's reason. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const logLevels = ['trace', 'debug', 'info', 'warning', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

/** One line a call. What a deployment logs also goes into that deployment's own log file. */
export type Log = (level: LogLevel, message: string) => void;
