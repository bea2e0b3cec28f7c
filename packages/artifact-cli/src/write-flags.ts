import { stat, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ArtifactDescription, ScriptSource, SoftwareOptions } from '@tandem/artifact';
import type { CommandLine } from './command-line.ts';
import { CommandError } from './exit-status.ts';
import { reasonOf } from './keys.ts';
import type { World } from './world.ts';

/** What all `write` commands say about the artifact itself. Throws `CommandError`. */
export async function namingFrom(
  line: CommandLine,
  world: World,
): Promise<Omit<ArtifactDescription, 'payload'>> {
  const deviceTypes = [...line.list('device-type'), ...line.list('compatible-types')];
  if (line.has('device-type')) {
    world.stderr.write('warning: --device-type is deprecated, use --compatible-types instead\n');
  }
  const artifactName = line.text('artifact-name');
  requireFlags({ 'artifact-name': artifactName, 'compatible-types': deviceTypes[0] });
  const artifactGroup = line.text('provides-group');
  const scripts = await scriptsFrom(line.list('script'));
  return {
    formatVersion: formatVersion(line),
    artifactName: artifactName ?? '',
    ...(artifactGroup === undefined ? {} : { artifactGroup }),
    depends: {
      deviceTypes,
      artifactNames: line.list('artifact-name-depends'),
      artifactGroups: line.list('depends-groups'),
    },
    ...(scripts.length === 0 ? {} : { scripts }),
  };
}

/** Throws `CommandError` naming all that are missing, as the reference does. */
export function requireFlags(values: Readonly<Record<string, string | undefined>>): void {
  const missing = Object.keys(values).filter((name) => values[name] === undefined);
  if (missing.length === 0) return;
  const noun = missing.length === 1 ? 'flag' : 'flags';
  throw new CommandError('invalidParameters', `Required ${noun} "${missing.join(', ')}" not set`, {
    showsHelp: true,
  });
}

/** The reference refuses this for some commands only; readers take it. */
export function refuseWhitespace(artifactName: string): void {
  if (!/\s/.test(artifactName)) return;
  throw new CommandError(
    'invalidParameters',
    `whitespace is not allowed in the artifact-name: "${artifactName}"`,
  );
}

/** `KEY:VALUE`, cut at the first colon. */
export function keyValues(list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((text) => {
      const colon = text.indexOf(':');
      if (colon < 0)
        throw new CommandError('invalidParameters', `argument must have a delimiting colon: ${text}`);
      return [text.slice(0, colon), text.slice(colon + 1)];
    }),
  );
}

const softwareFlags = ['software-name', 'software-version', 'software-filesystem'] as const;

export function softwareFrom(line: CommandLine): SoftwareOptions {
  const [name, version, filesystem] = softwareFlags.map((flag) => line.text(flag));
  return {
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(filesystem === undefined ? {} : { filesystem }),
    noDefaultVersion: line.has('no-default-software-version'),
    noDefaultClears: line.has('no-default-clears-provides'),
  };
}

/**
 * The pairs of `--provides`. Where one sets the very key the software flags set, whichever stands later on the command line counts
 * (format contract 8); without software flags the pair does.
 */
export function providesFrom(line: CommandLine, versionKeys: readonly string[]): Record<string, string> {
  const provides = keyValues(line.list('provides'));
  const lastSoftware = Math.max(...softwareFlags.map((flag) => line.lastPosition(flag)));
  const isOverruled = (key: string) =>
    versionKeys.includes(key) && lastSoftware > line.lastPosition('provides');
  return Object.fromEntries(Object.entries(provides).filter(([key]) => !isOverruled(key)));
}

/** State scripts by name: files, or all files of a directory. Throws `CommandError`. */
export async function scriptsFrom(paths: readonly string[]): Promise<readonly ScriptSource[]> {
  const scripts: ScriptSource[] = [];
  for (const path of paths) {
    try {
      const isDirectory = (await stat(path)).isDirectory();
      const files = isDirectory ? (await readdir(path)).map((name) => join(path, name)) : [path];
      for (const file of files) scripts.push({ name: basename(file), content: await readFile(file) });
    } catch (cause) {
      throw new CommandError(
        'invalidParameters',
        `cannot read the state script ${path}: ${reasonOf(cause)}`,
        { cause },
      );
    }
  }
  return scripts;
}

/** A JSON object in a file; an empty file is none. Throws `CommandError`. */
export async function metaDataFrom(
  path: string | undefined,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (path === undefined) return undefined;
  let value: unknown;
  try {
    const text = await readFile(path, 'utf8');
    if (text === '') return undefined;
    value = JSON.parse(text);
  } catch (cause) {
    throw new CommandError('invalidParameters', `cannot read the meta-data ${path}: ${reasonOf(cause)}`, {
      cause,
    });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new CommandError('invalidParameters', `${path}: Top level object in meta-data must be a JSON object`);
}

function formatVersion(line: CommandLine): 2 | 3 {
  const version = line.text('version') ?? '3';
  if (version === '2') return 2;
  if (version === '3') return 3;
  throw new CommandError(
    'unsupportedVersion',
    `unsupported artifact version: ${version}; versions 2 and 3 can be written`,
  );
}
