import { CommandError } from './exit-status.ts';
import type { Flag } from './flags.ts';

/** What was given on a command line, flags by their long names. */
export interface CommandLine {
  readonly operands: readonly string[];
  /** Whether the flag was given at all. */
  readonly has: (name: string) => boolean;
  /** The last value given. */
  readonly text: (name: string) => string | undefined;
  readonly list: (name: string) => readonly string[];
  /** Where among all arguments the flag was given last, -1 for never: of two that contradict each other the later counts. */
  readonly lastPosition: (name: string) => number;
}

interface Given {
  readonly name: string;
  readonly value: string;
  readonly position: number;
}

/**
 * Reads the arguments as mender-artifact does: one or two dashes for any flag, the value behind `=` or as the next argument, operands
 * anywhere between, `--` before operands that begin with a dash. Throws `CommandError` naming the flag.
 */
export function parseCommandLine(
  args: readonly string[],
  known: Readonly<Record<string, Flag>>,
): CommandLine {
  const given: Given[] = [];
  const operands: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at] ?? '';
    if (argument === '--') {
      operands.push(...args.slice(at + 1));
      break;
    }
    const [, written, behindEquals] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
    if (written === undefined) {
      operands.push(argument);
      continue;
    }
    const [name, flag] = findFlag(written, known);
    const position = at;
    if (flag.kind === 'switch') {
      given.push({ name, value: switchValue(behindEquals, written), position });
      continue;
    }
    const value = behindEquals ?? args[(at += 1)];
    if (value === undefined) throw usage(`flag needs an argument: -${written}`);
    given.push({ name, value, position });
  }
  const of = (name: string) => given.filter((one) => one.name === name);
  return {
    operands,
    has: (name) => of(name).some(({ value }) => value !== 'false'),
    text: (name) => of(name).at(-1)?.value,
    list: (name) => of(name).map(({ value }) => value),
    lastPosition: (name) => of(name).at(-1)?.position ?? -1,
  };
}

function findFlag(written: string, known: Readonly<Record<string, Flag>>): [string, Flag] {
  const found = Object.entries(known).find(([name, flag]) => name === written || flag.short === written);
  if (found === undefined) throw usage(`flag provided but not defined: -${written}`);
  return found;
}

function switchValue(behindEquals: string | undefined, written: string): string {
  if (behindEquals === undefined || behindEquals === 'true') return 'true';
  if (behindEquals === 'false') return 'false';
  throw usage(`invalid boolean value "${behindEquals}" for -${written}`);
}

function usage(message: string): CommandError {
  return new CommandError('invalidParameters', `Incorrect Usage: ${message}`, { showsHelp: true });
}
