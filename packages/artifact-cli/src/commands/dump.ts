import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ArtifactError, copiesOf, readArtifact, type Artifact } from '@tandem/artifact';
import { openArtifact } from '../artifact-input.ts';
import type { CommandLine } from '../command-line.ts';
import { decompressors } from '../compressions.ts';
import { goJson } from '../go-json.ts';
import { CommandError } from '../exit-status.ts';
import { reasonOf } from '../keys.ts';
import type { World } from '../world.ts';

/** `dump`: takes an artifact apart into files, and prints the command line that would make it again. */
export async function dumpCommand(line: CommandLine, world: World): Promise<void> {
  const [path, ...others] = line.operands;
  if (path === undefined || others.length > 0) {
    throw new CommandError('invalidParameters', 'Need to specify exactly one Artifact with dump command');
  }
  if (line.has('print-cmdline') && line.has('print0-cmdline')) {
    throw new CommandError('invalidParameters', 'Cannot specify both --print-cmdline and --print0-cmdline');
  }
  const directories = {
    files: line.text('files'),
    metaData: line.text('meta-data'),
    scripts: line.text('scripts'),
  };
  for (const directory of Object.values(directories))
    if (directory !== undefined) await makeDirectory(directory);
  const source = await openArtifact(path, line, world);
  const words: string[] = [];
  try {
    const artifact = await readArtifact(source, { decompressors, signal: world.signal });
    words.push(...wordsFor(artifact), ...(await dumpHeader(artifact, directories)));
    for await (const { name, content } of artifact.files()) {
      if (directories.files === undefined) {
        for await (const piece of content) void piece;
        continue;
      }
      const out = join(directories.files, name);
      const file = createWriteStream(out, { flags: 'wx', mode: 0o644 });
      await pipeline(copiesOf(content), file, { signal: world.signal });
      words.push('--file', out);
    }
  } catch (error) {
    if (error instanceof ArtifactError)
      throw new CommandError('invalidArtifact', `${path}: ${error.message}`, { cause: error });
    throw error;
  }
  if (line.has('print-cmdline')) world.stdout.write(`${words.join(' ')}\n`);
  if (line.has('print0-cmdline')) world.stdout.write(words.map((word) => `${word}\0`).join(''));
}

interface Directories {
  readonly metaData: string | undefined;
  readonly scripts: string | undefined;
}

/** Writes scripts and meta-data; answers the flags that name them. Files are never written over. */
async function dumpHeader(artifact: Artifact, directories: Directories): Promise<readonly string[]> {
  const words: string[] = [];
  if (directories.scripts !== undefined) {
    for (const { name, content } of artifact.scripts) {
      const out = join(directories.scripts, name);
      await writeFile(out, content, { flag: 'wx', mode: 0o755 });
      words.push('--script', out);
    }
  }
  const metaData = artifact.payloads[0]?.metaData;
  if (directories.metaData !== undefined && metaData !== undefined) {
    const out = join(directories.metaData, '0000.meta-data');
    await writeFile(out, `${goJson(metaData)}\n`, { flag: 'wx', mode: 0o644 });
    words.push('--meta-data', out);
  }
  return words;
}

/** In the order of the reference (format contract 9.2); pairs sorted by key. */
function wordsFor(artifact: Artifact): readonly string[] {
  const { artifactName, artifactGroup, depends } = artifact.headerInfo;
  const [payload] = artifact.payloads;
  const flag = (name: string, values: readonly string[] | undefined) =>
    (values ?? []).flatMap((value) => [`--${name}`, value]);
  const pairs = (record: Readonly<Record<string, string | readonly string[]>> | undefined) =>
    Object.entries(record ?? {})
      .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .flatMap(([key, value]) => [value].flat().map((one) => `${key}:${one}`));
  const isEmpty = payload?.type === null;
  return [
    'write',
    isEmpty ? 'bootstrap-artifact' : 'module-image',
    ...flag('artifact-name', [artifactName]),
    ...flag('provides-group', artifactGroup === undefined ? [] : [artifactGroup]),
    ...flag('artifact-name-depends', depends.artifactNames),
    ...flag('compatible-types', depends.deviceTypes),
    ...flag('depends-groups', depends.artifactGroups),
    ...(isEmpty ? [] : [...flag('type', [payload?.type ?? '']), '--no-default-software-version']),
    ...flag('provides', pairs(payload?.provides)),
    ...flag('depends', pairs(payload?.depends)),
    ...(isEmpty ? [] : ['--no-default-clears-provides']),
    ...flag('clears-provides', payload?.clearsProvides),
  ];
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw new CommandError('systemError', `cannot make the directory ${path}: ${reasonOf(cause)}`, { cause });
  }
}
