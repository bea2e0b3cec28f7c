import { optionsOfSettings } from '../configuration/describe-configuration.ts';
import { commands } from './commands.ts';

export interface ManualPageFacts {
  readonly version: string;
  /** YYYY-MM-DD. */
  readonly date: string;
  /** Where an installation keeps its configuration. */
  readonly configurationFile: string;
}

/** tandem-server(8), out of the tables of commands and settings, in the language of man. */
export const manualPage = ({ version, date, configurationFile }: ManualPageFacts): string =>
  [
    `.TH TANDEM-SERVER 8 "${date}" "Tandem ${version}" "System administration"`,
    '.SH NAME',
    escaped('tandem-server - over-the-air software update for embedded Linux'),
    '.SH SYNOPSIS',
    '.B tandem\\-server',
    '.I COMMAND',
    '.RI [ OPTIONS ]',
    '.SH DESCRIPTION',
    escaped(
      'The management server of Tandem: devices ask it for software, people and programs tell it which. It speaks the interfaces of Mender.',
    ),
    '.SH COMMANDS',
    ...Object.entries(commands).flatMap(([name, { summary, help }]) => [
      '.TP',
      `.B ${escaped(name)}`,
      escaped(`${summary}.`),
      // The options of serve are told below, and the same for all that take them.
      ...(help().includes('\n') ? ['See', '.B OPTIONS', 'below.'] : ['.br', `.I ${escaped(help().trim())}`]),
    ]),
    '.SH OPTIONS',
    escaped(
      'Each may also be given by the environment variable in parentheses, or in the configuration file as NAME = VALUE, without the dashes.',
    ),
    escaped('The command line counts before the environment, the environment before the file.'),
    ...optionsOfSettings().flatMap(({ usage, help, environment }) => [
      '.TP',
      `.B ${escaped(usage)}`,
      escaped(`${help} (${environment})`),
    ]),
    '.SH FILES',
    '.TP',
    `.I ${escaped(configurationFile)}`,
    'Configuration of the service.',
    '.SH EXIT STATUS',
    '0 when done, 1 when it failed, 2 when the command line or the configuration was not understood.',
    '',
  ].join('\n');

/** Text that means nothing to man: no escapes, no hyphens in place of minus signs, no requests at the beginning of a line. */
const escaped = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
