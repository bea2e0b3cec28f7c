import { resolve } from 'node:path';
import { readS3Location, s3LocationForm } from '../object-storage/s3-location.ts';

/** What settings can be, each read out of text once. A reader returns undefined for what it does not understand. */
export interface ValueType<T> {
  readonly read: (text: string) => T | undefined;
  /** What a person should give instead. */
  readonly wanted: string;
  /** How `--help` calls the value; empty for an option that takes none. */
  readonly placeholder: string;
  /** Whether the text holds a secret, which neither a log nor the list of processes may show. */
  readonly isSecret: (text: string) => boolean;
  /** The text without its secret. */
  readonly hidden: (text: string) => string;
}

const open = { isSecret: () => false, hidden: (text: string) => text } as const;

export const valueTypes = {
  path: { read: (text) => resolve(text), wanted: 'a path', placeholder: 'PATH', ...open },
  address: {
    read: (text) => (splitAddress(text) === undefined ? undefined : text),
    wanted: 'HOST:PORT, such as 0.0.0.0:443 or [::]:443',
    placeholder: 'HOST:PORT',
    ...open,
  },
  url: {
    read: webUrl,
    wanted: 'a URL that begins with https:// or http:// and has no query',
    placeholder: 'URL',
    ...open,
  },
  database: {
    read: (text) => (isDatabaseUrl(text) ? text : undefined),
    wanted: 'postgres://USER@HOST:PORT/NAME',
    placeholder: 'URL',
    // What is no URL may have a password all the same.
    isSecret: (text) => !isDatabaseUrl(text) || hasPassword(new URL(text)),
    hidden: (text) => (isDatabaseUrl(text) ? withoutPassword(new URL(text)) : '(hidden)'),
  },
  storage: {
    read: (text) => (readS3Location(text) === undefined ? undefined : text),
    wanted: s3LocationForm,
    placeholder: 'URL',
    ...open,
  },
  secret: {
    read: (text) => text,
    wanted: 'text',
    placeholder: 'SECRET',
    isSecret: () => true,
    hidden: () => '(hidden)',
  },
  flag: {
    read: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
    wanted: 'true or false',
    placeholder: '',
    ...open,
  },
  count: {
    read: (text) => (/^[0-9]{1,15}$/.test(text) ? Number(text) : undefined),
    wanted: 'a whole number',
    placeholder: 'NUMBER',
    ...open,
  },
  logFormat: {
    read: (text) => (text === 'text' || text === 'json' ? text : undefined),
    wanted: 'text or json',
    placeholder: 'text|json',
    ...open,
  },
} as const satisfies Record<string, ValueType<string> | ValueType<boolean> | ValueType<number>>;

export type TypeName = keyof typeof valueTypes;

/** What a value of that type is once it is read. */
export type ValueOf<Name extends TypeName> = Exclude<
  ReturnType<(typeof valueTypes)[Name]['read']>,
  undefined
>;

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

/** Whatever libpq understands. */
const isDatabaseUrl = (text: string): boolean => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text);

const hasPassword = ({ password, searchParams }: URL): boolean =>
  password !== '' || searchParams.has('password');

function withoutPassword(url: URL): string {
  if (url.password !== '') url.password = '(hidden)';
  if (url.searchParams.has('password')) url.searchParams.set('password', '(hidden)');
  return url.href;
}
