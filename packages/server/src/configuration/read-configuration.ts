import { resolve } from 'node:path';
import { ServerError } from '../server-error.ts';
import { settings, type Configuration, type Setting } from './settings.ts';

/** Values as the command line gives them: by option name. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

/** Options, then environment, then defaults. Throws `badRequest` naming every setting that is wrong, and how. */
export function readConfiguration(
  options: OptionValues,
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const faults: string[] = [];
  const values = Object.entries<Setting>(settings).map(([name, setting]) => {
    const given = options[setting.option] ?? environment[setting.environment];
    if (given === undefined || given === '') return [name, setting.default];
    const value = read[setting.type](given);
    // A URL of a database may have a password in it.
    const shown = setting.type === 'database' ? '' : ` ${String(given)}`;
    if (value === undefined) faults.push(`--${setting.option}${shown}: give ${wanted[setting.type]}`);
    return [name, value];
  });
  // The table's types are those of the readers below.
  const configuration = Object.fromEntries(values) as Configuration;
  faults.push(...contradictions(configuration));
  if (faults.length > 0) throw new ServerError('badRequest', faults.join('\n'));
  return configuration;
}

type Given = string | boolean;

const read: Readonly<Record<Setting['type'], (given: Given) => string | number | boolean | undefined>> = {
  path: (given) => resolve(String(given)),
  address: (given) => (splitAddress(String(given)) === undefined ? undefined : String(given)),
  url: (given) => webUrl(String(given)),
  database: (given) => databaseUrl(String(given)),
  flag: (given) =>
    given === true || given === 'true' ? true : given === false || given === 'false' ? false : undefined,
  count: (given) => (/^[0-9]{1,15}$/.test(String(given)) ? Number(given) : undefined),
};

const wanted: Readonly<Record<Setting['type'], string>> = {
  path: 'a path',
  address: 'HOST:PORT, such as 0.0.0.0:443 or [::]:443',
  url: 'a URL that begins with https:// or http:// and has no query',
  database: 'postgres://USER@HOST:PORT/NAME',
  flag: 'true or false',
  count: 'a whole number',
};

function contradictions({ dataDirectory, http, tlsCertificate, tlsKey }: Configuration): string[] {
  return [
    ...(dataDirectory === undefined
      ? ['--data-dir is missing: name the directory the server may keep its data in']
      : []),
    ...((tlsCertificate === undefined) === (tlsKey === undefined)
      ? []
      : ['--tls-cert and --tls-key go together']),
    ...(http && tlsCertificate !== undefined ? ['--http and --tls-cert exclude each other'] : []),
  ];
}

/** `[::1]:443` as well; undefined when it is no address. */
export function splitAddress(address: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):([0-9]{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

function webUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return undefined;
  return url.search === '' && url.hash === '' && url.username === '' ? text.replace(/\/+$/, '') : undefined;
}

/** Whatever libpq understands; undefined for anything else. */
const databaseUrl = (text: string): string | undefined =>
  /^postgres(ql)?:\/\//.test(text) && URL.canParse(text) ? text : undefined;
