import { parseArgs } from 'node:util';
import { SimulatorError } from './simulator-error.ts';

/** The options, which are also their help. */
// prettier-ignore
export const options = {
  server:   { value: 'URL',     fallback: undefined, help: 'the server to poll. Required.' },
  devices:  { value: 'NUMBER',  fallback: '1000',    help: 'how many devices there are' },
  profile:  { value: 'FILE',    fallback: undefined, help: 'the kinds of devices as JSON; without one, three kinds' },
  poll:     { value: 'SECONDS', fallback: undefined, help: "poll so often instead of as the profile says; the fleet is switched on within that time" },
  seed:     { value: 'TEXT',    fallback: 'tandem',  help: 'the same seed is the same fleet, with the same keys and the same luck' },
  for:      { value: 'SECONDS', fallback: undefined, help: 'end after so long; without it, when interrupted' },
  ca:       { value: 'FILE',    fallback: undefined, help: "certificate authority of the server, PEM, beside the system's" },
  progress: { value: 'SECONDS', fallback: '5',       help: 'time between two lines of progress' },
} as const;

export interface CommandLine {
  readonly serverUrl: string;
  readonly devices: number;
  readonly profilePath: string | undefined;
  readonly pollSeconds: number | undefined;
  readonly seed: string;
  readonly forSeconds: number | undefined;
  readonly authorityPath: string | undefined;
  readonly progressSeconds: number;
}

export const help = (): string =>
  [
    'Usage: tandem-simulator --server URL [options]',
    'Simulates a fleet of devices, over HTTP alone: each has a key of its own, asks to be let in, reports inventory, polls, and installs.',
    '',
    ...Object.entries(options).map(
      ([name, { value, fallback, help: text }]) =>
        `  ${`--${name} ${value}`.padEnd(20)} ${text}${fallback === undefined ? '' : ` (default: ${fallback})`}`,
    ),
  ].join('\n');

const maxDevices = 100_000;

/** Throws a SimulatorError `badArguments`. Undefined when help is asked for. */
export function readCommandLine(args: readonly string[]): CommandLine | undefined {
  const text = { type: 'string' } as const;
  const given = (() => {
    try {
      return parseArgs({
        args: [...args],
        options: {
          server: text, devices: text, poll: text, profile: text, seed: text, for: text, ca: text, progress: text,
          help: { type: 'boolean', short: 'h' },
        },
      }).values; // prettier-ignore
    } catch (cause) {
      throw new SimulatorError('badArguments', cause instanceof Error ? cause.message : String(cause), {
        cause,
      });
    }
  })();
  if (given.help === true) return undefined;
  if (given.server === undefined || !/^https?:$/.test(URL.parse(given.server)?.protocol ?? ''))
    throw new SimulatorError('badArguments', '--server: give the URL of the server, as https://HOST:PORT');
  return {
    serverUrl: given.server,
    devices: numberOf('devices', given.devices ?? options.devices.fallback, maxDevices),
    profilePath: given.profile,
    pollSeconds: given.poll === undefined ? undefined : numberOf('poll', given.poll, 604_800),
    seed: given.seed ?? options.seed.fallback,
    forSeconds: given.for === undefined ? undefined : numberOf('for', given.for, 604_800),
    authorityPath: given.ca,
    progressSeconds: numberOf('progress', given.progress ?? options.progress.fallback, 3600),
  };
}

function numberOf(option: string, text: string, most: number): number {
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > most)
    throw new SimulatorError(
      'badArguments',
      `--${option}: give a whole number from 1 to ${most}, not ${text}`,
    );
  return number;
}
