import type { Settled } from './read-configuration.ts';
import {
  configurationFile,
  mayBeSecret,
  secretFile,
  settings,
  type Configuration,
  type Setting,
} from './settings.ts';
import { valueTypes } from './value-types.ts';

/** What `--help` tells, one option a paragraph: all of the table. */
export const settingsHelp = (): string =>
  optionsOfSettings()
    .map(({ usage, help, environment }) => `  ${usage}\n      ${help} (${environment})`)
    .join('\n');

export interface DescribedOption {
  /** `--listen HOST:PORT` */
  readonly usage: string;
  readonly help: string;
  readonly environment: string;
}

/** The options of the settings as people read them, for help and manual. */
export const optionsOfSettings = (): DescribedOption[] => [
  {
    usage: `--${configurationFile.option} PATH`,
    help: 'Configuration file: a line each NAME = VALUE, with the names of these options. An option counts before the environment, the environment before the file.',
    environment: configurationFile.environment,
  },
  ...Object.values<Setting>(settings).flatMap((setting) => [
    ...(setting.type === 'secret' ? [] : [optionOf(setting)]),
    ...(mayBeSecret(setting) ? [optionOfFile(setting)] : []),
  ]),
];

const optionOf = ({ option, type, environment, default: fallback, help }: Setting): DescribedOption => {
  const { placeholder } = valueTypes[type];
  const standard = fallback === undefined || type === 'flag' ? '' : ` Default: ${String(fallback)}.`;
  return {
    usage: `--${option}${placeholder === '' ? '' : ` ${placeholder}`}`,
    help: `${help}${standard}`,
    environment,
  };
};

function optionOfFile(setting: Setting): DescribedOption {
  const { option, environment } = secretFile(setting);
  const help =
    setting.type === 'secret'
      ? `${setting.help} What is in that file is the value, which ${setting.environment} may give as well.`
      : `File that holds the value of --${setting.option}, when there is a secret in it.`;
  return { usage: `--${option} PATH`, help, environment };
}

/** A configuration file in which every setting is explained, and those that are given are made. */
export const exampleConfiguration = (made: Partial<Record<keyof Configuration, string>> = {}): string =>
  [
    '# Configuration of tandem-server: a line each NAME = VALUE.',
    '# Options of the command line count before the environment, the environment before this file.',
    '# What counts in the end is printed by `tandem-server config`.',
    ...namesOfSettings.flatMap((name) => ['', ...exampleOf(settings[name], made[name])]),
    '',
  ].join('\n');

const namesOfSettings = Object.keys(settings) as (keyof Configuration)[];

function exampleOf(setting: Setting, made: string | undefined): string[] {
  const { option, type, environment, default: fallback, help } = setting;
  const value = fallback === undefined ? valueTypes[type].placeholder || 'true' : String(fallback);
  return [
    ...wrapped(`${help} (${environment})`).map((line) => `# ${line}`),
    ...(made === undefined ? [] : [`${option} = ${made}`]),
    ...(made !== undefined || type === 'secret' ? [] : [`#${option} = ${value}`]),
    ...(mayBeSecret(setting) ? [`#${secretFile(setting).option} = PATH`] : []),
  ];
}

/** What counts, each with where it came from, as a configuration file; without the secrets. */
export const effectiveConfiguration = (settled: readonly Settled[]): string =>
  settled
    .map(({ setting: { option, type }, value, source }) =>
      value === undefined
        ? `# not given\n#${option} =`
        : `# ${source}\n${option} = ${valueTypes[type].hidden(String(value))}`,
    )
    .join('\n');

const lineLength = 98;

function wrapped(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + word.length > lineLength) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
