import type { Writable } from 'node:stream';
import { ClientError } from '../client-error.ts';
import { compressions, dumpSnapshot } from '../snapshot/dump-snapshot.ts';
import type { ClientGround } from './client-parts.ts';
import { type ParsedArguments } from './parse-arguments.ts';

/** Where the bytes of a command go. */
export interface StandardOutput {
  readonly stream: Writable;
  readonly isTerminal: boolean;
  /** Device numbers of the file systems that stdout and stderr are on. */
  readonly devices: readonly number[];
}

/** `snapshot dump` (client contract 4.2): the bytes to stdout, what there is to say to stderr. */
export async function runSnapshot(
  { system, paths, environment }: ClientGround,
  parsed: ParsedArguments,
  surroundings: {
    readonly standardOutput: () => StandardOutput;
    readonly printProgress: (text: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const [verb, unexpected] = parsed.arguments;
  if (verb !== 'dump') throw new ClientError('commandLine', 'Need what to do: snapshot dump');
  if (unexpected !== undefined) throw new ClientError('commandLine', `Unexpected argument '${unexpected}'`);
  const option = (name: 'source' | 'compression' | 'log-file') => parsed.options.get(name)?.at(-1);
  const asked = option('compression') ?? 'none';
  const compression = compressions.find((name) => name === asked);
  if (compression === undefined)
    throw new ClientError(
      'commandLine',
      `Unknown compression '${asked}': there are ${compressions.join(' and ')}`,
    );
  const { stream, isTerminal, devices } = surroundings.standardOutput();
  if (isTerminal)
    throw new ClientError('commandLine', 'Will not write a file system to a terminal: send stdout elsewhere');

  const say = parsed.options.has('quiet') ? () => undefined : surroundings.printProgress;
  // Whoever takes the snapshot waits for these words (mender-artifact over ssh).
  say('Initializing snapshot...\n');
  const logFile = option('log-file');
  const options = {
    source: option('source') ?? '/',
    compression,
    mustNotBeFrozen: [paths.datastore, ...(logFile === undefined ? [] : [logFile])],
    writesTo: devices,
  };
  const needs = {
    processes: system.processes,
    environment,
    output: stream,
    onPercent: (percent: number) => say(`\r${percent}%`),
  };
  const { sizeBytes } = await dumpSnapshot(options, needs, surroundings.signal);
  say(`\nDumped ${sizeBytes} bytes\n`);
  return 0;
}
