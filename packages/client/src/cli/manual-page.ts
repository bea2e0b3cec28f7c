import {
  options,
  programs,
  type OptionDescription,
  type OptionName,
  type ProgramDescription,
  type ProgramName,
} from './command-line.ts';

export interface ManualPageFacts {
  readonly version: string;
  /** YYYY-MM-DD. */
  readonly date: string;
}

/** PROGRAM(1), out of the tables of commands and options, in the language of man. */
export function manualPage(programName: ProgramName, { version, date }: ManualPageFacts): string {
  const program: ProgramDescription = programs[programName];
  return [
    `.TH ${escaped(programName.toUpperCase())} 1 "${date}" "Tandem ${version}" "Device client"`,
    '.SH NAME',
    escaped(`${programName} - ${lowerCase(program.meaning)}`),
    '.SH SYNOPSIS',
    `.B ${escaped(programName)}`,
    ...(program.implies === undefined ? ['.RI [ OPTIONS ]', '.I COMMAND'] : []),
    '.RI [ OPTIONS ]',
    '.SH COMMANDS',
    ...Object.entries(program.commands).flatMap(([name, command]) => [
      '.TP',
      `.B ${escaped([name, command.argument].filter((word) => word !== undefined).join(' '))}`,
      escaped(command.meaning),
      ...(command.options.length === 0
        ? []
        : ['Options:', `${escaped(command.options.map((option) => `--${option}`).join(', '))}.`]),
    ]),
    '.SH OPTIONS',
    ...optionsOf(program).flatMap((name) => {
      const { short, value, meaning }: OptionDescription = options[name];
      const spelled = [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].join(', ');
      return [
        '.TP',
        `.B ${escaped(value === undefined ? spelled : `${spelled} ${value}`)}`,
        escaped(meaning),
      ];
    }),
    '.SH FILES',
    '.TP',
    `.I ${escaped('/etc/mender/mender.conf')}`,
    'Configuration of the device.',
    '.TP',
    `.I ${escaped('/var/lib/mender')}`,
    'The key of the device, and what it knows of its updates.',
    '',
  ].join('\n');
}

const optionsOf = ({ globalOptions, commands }: ProgramDescription): readonly OptionName[] => [
  ...new Set([...globalOptions, ...Object.values(commands).flatMap((command) => command.options)]),
];

const lowerCase = (meaning: string): string =>
  meaning.charAt(0).toLowerCase() + meaning.slice(1).replace(/\.$/, '');

/** Text that means nothing to man: no escapes, no hyphens in place of minus signs, no requests at the beginning of a line. */
const escaped = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
