import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { boardKeys } from './board-keys.ts';
import { hookPoints } from './hooks.ts';
import { ImageError } from './image-error.ts';
import { optionGroups, options, type Option, type Options } from './options.ts';

export const commands = {
  build: 'make a disk image, the artifact that updates to the same, and a bootstrap artifact',
  boards: 'list the boards that come with the builder',
} as const;
export type CommandName = keyof typeof commands;

export type Asked =
  | { readonly command: 'help' }
  | { readonly command: 'boards' }
  | { readonly command: 'build'; readonly options: Options };

/** What is asked for. Throws `ImageError` (badArguments). */
export function readCommandLine(args: readonly string[]): Asked {
  const [command, ...rest] = args;
  if (command === undefined || ['help', '--help', '-h'].includes(command)) return { command: 'help' };
  if (!Object.hasOwn(commands, command))
    throw bad(`there is no command ${command}; there are ${Object.keys(commands).join(' and ')}`);
  if (rest.some((argument) => argument === '--help' || argument === '-h')) return { command: 'help' };
  if (command === 'boards') return { command: 'boards' };
  const known = Object.entries<Option>(options).map(([name, { kind, fallback }]) => [
    name,
    {
      type: kind === 'switch' ? 'boolean' : 'string',
      multiple: kind === 'list',
      ...(kind === 'list' ? { default: [] } : kind === 'switch' ? { default: false } : {}),
      ...(fallback === undefined ? {} : { default: fallback }),
    },
  ]);
  try {
    const { values } = parseArgs({
      args: rest,
      options: Object.fromEntries(known) as ParseArgsOptionsConfig,
    });
    return {
      command: 'build', // As the table says: parseArgs was told so by it.
      options: values as unknown as Options,
    };
  } catch (cause) {
    throw bad(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

export function help(): string {
  const lines = Object.entries<string>(optionGroups).flatMap(([group, title]) => [
    '',
    `${title}:`,
    ...Object.entries<Option>(options)
      .filter(([, option]) => option.group === group)
      .map(([name, { value, fallback, help: text }]) => {
        const shown = `--${name}${value === undefined ? '' : ` ${value}`}`;
        return `  ${shown.padEnd(30)} ${text}${fallback === undefined ? '' : ` (default: ${fallback})`}`;
      }),
  ]);
  return [
    'Usage: tandem-image build --board BOARD (--root PATH | --disk-image FILE) --artifact-name NAME [options]',
    '       tandem-image boards',
    'Makes disk images with two root file systems and a data partition, without being root.',
    ...lines,
    '',
    `Points for hooks: ${Object.keys(hookPoints).join(', ')}.`,
    'Keys of a board (--set, or in its file):',
    ...Object.entries(boardKeys).map(([name, { meaning }]) => `  ${name.padEnd(24)} ${meaning}`),
    '',
    'SOURCE_DATE_EPOCH (seconds since 1970) makes the same inputs give the same bytes.',
  ].join('\n');
}

const bad = (message: string, cause?: unknown): ImageError =>
  new ImageError('badArguments', `${message}. Try --help.`, { cause });
