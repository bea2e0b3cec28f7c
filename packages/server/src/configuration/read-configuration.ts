import { readFile, stat } from 'node:fs/promises';
import { ServerError } from '../server-error.ts';
import { readConfigurationFile, type Given } from './configuration-file.ts';
import {
  configurationFile,
  mayBeSecret,
  secretFile,
  settings,
  type Configuration,
  type Setting,
} from './settings.ts';
import { valueTypes } from './value-types.ts';

export { splitAddress } from './value-types.ts';

/** Values as the command line gives them: by option name. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** One setting as it counts, and where it came from. */
export interface Settled {
  readonly setting: Setting;
  /** Undefined where nothing was given and there is no default. */
  readonly value: string | number | boolean | undefined;
  /** `default`, or how the one who gave it calls it: `--listen`, `TANDEM_LISTEN`, `/etc/tandem/server.conf:3 listen`. */
  readonly source: string;
}

/**
 * Options, then environment, then the configuration file (named by `--config` or TANDEM_CONFIG), then defaults. An empty value
 * counts as none. With `names`, only those settings are looked at.
 * Throws `badRequest` naming every value that is wrong: where it stands, what was given unless it is secret, and what is wanted.
 */
export async function readConfiguration(
  options: OptionValues,
  environment: Environment,
  names: readonly (keyof Configuration)[] = namesOfSettings,
): Promise<Configuration> {
  const settled = await settleConfiguration(options, environment, names);
  // The table's types are those of the readers.
  const configuration = Object.fromEntries(
    names.map((name, index) => [name, settled[index]?.value]),
  ) as unknown as Configuration;
  const faults = contradictions(configuration);
  if (faults.length > 0) throw new ServerError('badRequest', faults.join('\n'));
  return configuration;
}

const namesOfSettings = Object.keys(settings) as (keyof Configuration)[];

/** The settings one by one, in the order of `names`; contradictions between them are not looked for. */
export async function settleConfiguration(
  options: OptionValues,
  environment: Environment,
  names: readonly (keyof Configuration)[] = namesOfSettings,
): Promise<Settled[]> {
  const path = options[configurationFile.option] ?? environment[configurationFile.environment];
  const faults: string[] = [];
  const file =
    typeof path === 'string' && path !== ''
      ? await readConfigurationFile(path, Object.values(settings), faults)
      : new Map<string, Given>();
  const settled: Settled[] = [];
  for (const name of names) {
    const setting: Setting = settings[name];
    const given = await whatIsGiven(setting, options, environment, file, faults);
    const type = valueTypes[setting.type];
    const value = given === undefined ? setting.default : type.read(given.text);
    if (given !== undefined && value === undefined) faults.push(`${shown(given, type)}: give ${type.wanted}`);
    settled.push({ setting, value, source: given?.source ?? 'default' });
  }
  if (faults.length > 0) throw new ServerError('badRequest', faults.join('\n'));
  return settled;
}

/** The first of the sources that says something; what may not be said there is a fault. */
async function whatIsGiven(
  setting: Setting,
  options: OptionValues,
  environment: Environment,
  file: ReadonlyMap<string, Given>,
  faults: string[],
): Promise<Given | undefined> {
  const named = secretFile(setting);
  const isIn = (text: string | boolean | undefined): text is string | boolean =>
    text !== undefined && text !== '';
  const given = (name: string, text: string | boolean): Given => ({ source: name, text: String(text) });
  const content = async (pointer: Given): Promise<Given | undefined> => {
    const text = await secretIn(pointer, faults);
    return text === undefined ? undefined : { source: pointer.source, text };
  };

  const option = options[setting.option];
  if (isIn(option)) {
    if (valueTypes[setting.type].isSecret(String(option))) {
      faults.push(
        `--${setting.option}: a secret on the command line is seen by every user of the machine: ` +
          `give it by ${setting.environment}, or in a file named by --${named.option}`,
      );
      return undefined;
    }
    return given(`--${setting.option}`, option);
  }
  const optionFile = options[named.option];
  if (isIn(optionFile)) return content(given(`--${named.option}`, optionFile));
  const variable = environment[setting.environment];
  if (isIn(variable)) return given(setting.environment, variable);
  const variableFile = environment[named.environment];
  if (mayBeSecret(setting) && isIn(variableFile)) return content(given(named.environment, variableFile));
  const line = file.get(setting.option);
  if (line !== undefined) return line;
  const lineFile = file.get(named.option);
  return lineFile === undefined ? undefined : content(lineFile);
}

const maxSecretBytes = 65_536;

/** The file's text without the line end at its end. */
async function secretIn({ text: path, source }: Given, faults: string[]): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > maxSecretBytes) throw new Error(`it has ${size} bytes, and may have ${maxSecretBytes}`);
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    faults.push(
      `${source} ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

type AnyType = (typeof valueTypes)[keyof typeof valueTypes];

/** `--listen nowhere`, `TANDEM_LISTEN=nowhere`, `server.conf:3 listen = nowhere`; the value is left out when it is secret. */
function shown({ source, text }: Given, type: AnyType): string {
  if (type.isSecret(text)) return source;
  const between = source.startsWith('--') ? ' ' : source.includes(' ') ? ' = ' : '=';
  return `${source}${between}${text}`;
}

function contradictions(configuration: Configuration): string[] {
  const { dataDirectory, http, tlsCertificate, tlsKey } = configuration;
  const { storage, storageAccessKey, storageSecretKey } = configuration;
  return [
    ...(dataDirectory === undefined
      ? ['--data-dir is missing: name the directory the server may keep its data in']
      : []),
    ...((tlsCertificate === undefined) === (tlsKey === undefined)
      ? []
      : ['--tls-cert and --tls-key go together']),
    ...(storage === undefined || (storageAccessKey !== undefined && storageSecretKey !== undefined)
      ? []
      : [
          '--storage needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the files or settings that stand for them',
        ]),
    ...(http === true && tlsCertificate !== undefined ? ['--http and --tls-cert exclude each other'] : []),
  ];
}
