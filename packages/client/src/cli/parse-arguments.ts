import { ClientError } from '../client-error.ts';
import { options, type CommandName, type OptionName, type ProgramDescription } from './command-line.ts';

export interface ParsedArguments {
  readonly command: CommandName | undefined;
  readonly arguments: readonly string[];
  readonly options: ReadonlyMap<OptionName, readonly string[]>;
}

/**
 * Options of the program stand before the command, the command's own behind it, among its arguments. `--name value` and
 * `--name=value` are the same; `--` ends the options. Throws `ClientError` `commandLine`.
 */
export function parseArguments(program: ProgramDescription, words: readonly string[]): ParsedArguments {
  const found = new Map<OptionName, string[]>();
  const rest: string[] = [];
  let command = program.implies;
  const ofImplied = command === undefined ? [] : (program.commands[command]?.options ?? []);
  let accepted: readonly OptionName[] = [...ofImplied, ...program.globalOptions];
  let optionsEnded = false;

  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (!optionsEnded && word === '--') {
      optionsEnded = true;
    } else if (!optionsEnded && word.startsWith('-') && word !== '-') {
      const [spelled, attached] = splitOnce(word);
      const name = optionOf(spelled, accepted);
      if (takesValue(name)) {
        const value = attached ?? words[++index];
        // A lone "-" is a value: the standard input.
        const missing =
          value === undefined || (attached === undefined && value.startsWith('-') && value !== '-');
        if (missing) throw new ClientError('commandLine', `Option ${spelled} missing value`);
        found.set(name, [...(found.get(name) ?? []), value]);
      } else {
        if (attached !== undefined)
          throw new ClientError('commandLine', `Option ${spelled} doesn't expect a value`);
        found.set(name, []);
      }
    } else if (command === undefined && program.generation === 3 && (word === 'help' || word === 'h')) {
      // What follows is the command it is asked about.
      found.set('help', []);
    } else if (command === undefined) {
      command = commandOf(program, word);
      // Help is understood behind a command, too; globals of the old program are, wherever they stand.
      const own = program.commands[command]?.options ?? [];
      accepted = program.generation === 3 ? [...own, ...program.globalOptions] : [...own, 'help'];
    } else {
      rest.push(word);
    }
  }
  return { command, arguments: rest, options: found };
}

function splitOnce(word: string): [string, string | undefined] {
  const equals = word.indexOf('=');
  return word.startsWith('--') && equals > 0
    ? [word.slice(0, equals), word.slice(equals + 1)]
    : [word, undefined];
}

function optionOf(spelled: string, accepted: readonly OptionName[]): OptionName {
  const name = accepted.find((option) => {
    const description = options[option];
    return spelled === `--${option}` || ('short' in description && spelled === `-${description.short}`);
  });
  if (name === undefined) throw new ClientError('commandLine', `Unrecognized option '${spelled}'`);
  return name;
}

function takesValue(name: OptionName): boolean {
  return 'value' in options[name];
}

function commandOf(program: ProgramDescription, word: string): CommandName {
  const known = Object.keys(program.commands) as CommandName[];
  const command = known.find((name) => name === word);
  if (command !== undefined) return command;
  if (program.generation === 5) throw new ClientError('commandLine', `No such action: ${word}`);
  throw new ClientError('commandLine', `No help topic for '${word}'`, {
    exitCode: unknownCommandOfGeneration3,
  });
}

/** As `mender` 3.4 ends; every other mistake ends with 1. */
const unknownCommandOfGeneration3 = 3;
