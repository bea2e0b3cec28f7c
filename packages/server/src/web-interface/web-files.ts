import { readdir, readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { ServerError } from '../server-error.ts';

/** One file of the built web interface, whole in memory, with the compressed forms that were built beside it. */
export interface WebFile {
  readonly contentType: string;
  /** Its name has a hash of its content: what was once read under this name is right for ever. */
  readonly isImmutable: boolean;
  readonly forms: Readonly<Partial<Record<Encoding, Buffer>>> & { readonly identity: Buffer };
}

/** By path below the directory, with `/` between. */
export type WebFiles = ReadonlyMap<string, WebFile>;

/** In the order of preference. */
export const encodings = ['br', 'gzip', 'identity'] as const;
export type Encoding = (typeof encodings)[number];

const suffixes: Readonly<Partial<Record<string, Encoding>>> = { '.br': 'br', '.gz': 'gzip' };

const contentTypes: Readonly<Partial<Record<string, string>>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

const maxBytes = 32 * 1024 * 1024;

/**
 * Reads the built interface, at most 32 MiB of it. Undefined when the directory is not there: a server may do without.
 * Throws `internal` for a directory that is no built interface.
 */
export async function readWebFiles(directory: string): Promise<WebFiles | undefined> {
  const names = await namesIn(directory);
  if (names === undefined) return undefined;
  const files = new Map<string, WebFile>();
  let bytes = 0;
  for (const name of names.filter((name) => contentTypes[extname(name)] !== undefined)) {
    const forms: Partial<Record<Encoding, Buffer>> = {};
    for (const [suffix, encoding] of [['', 'identity'] as const, ...Object.entries(suffixes)]) {
      if (encoding === undefined || !names.includes(name + suffix)) continue;
      const content = await readFile(join(directory, name + suffix));
      bytes += content.length;
      if (bytes > maxBytes) throw notBuilt(directory, `holds more than ${maxBytes} bytes`);
      forms[encoding] = content;
    }
    const path = name.replaceAll(sep, '/');
    files.set(path, {
      contentType: contentTypes[extname(name)] ?? '',
      isImmutable: path.startsWith('assets/'),
      forms: forms as WebFile['forms'],
    });
  }
  if (!files.has('index.html')) throw notBuilt(directory, 'has no index.html');
  return files;
}

async function namesIn(directory: string): Promise<string[] | undefined> {
  try {
    return await readdir(directory, { recursive: true });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const notBuilt = (directory: string, why: string) =>
  new ServerError('internal', `${directory} is not a built web interface: it ${why}`);
