import { rm } from 'node:fs/promises';
import {
  writeArtifact,
  writeArtifactFile,
  type ArtifactDescription,
  type WriteOptions,
} from '@tandem/artifact';
import { parseSize, sizeText } from './artifact-size.ts';
import type { CommandLine } from './command-line.ts';
import { compressionChoice, compressors, defaultCompression } from './compressions.ts';
import { CommandError } from './exit-status.ts';
import { reasonOf, signerFrom } from './keys.ts';
import { progressBar } from './progress.ts';
import type { World } from './world.ts';
import { writeTo } from './write-to.ts';

/** Writes what a `write` command described to where it says: a file, or with `-` stdout, to which then nothing else is written. */
export async function writeOutput(
  description: ArtifactDescription,
  line: CommandLine,
  world: World,
): Promise<void> {
  const path = line.text('output-path') ?? 'artifact.mender';
  const most = sizeLimit(line, 'max-artifact-size');
  const warnFrom = sizeLimit(line, 'warn-artifact-size');
  const bar = progressBar(world, line.has('no-progress'));
  if (bar !== undefined) world.stderr.write('Writing Artifact...\n');
  const options = {
    ...(await writeOptionsFrom(line, world)),
    ...(bar === undefined ? {} : { onProgress: bar.show }),
  };
  if (path === '-') {
    await writeTo(world.stdout, writeArtifact(description, options), world.signal).finally(bar?.clear);
    return;
  }
  const { sizeBytes } = await writeFile(description, path, options).finally(bar?.clear);
  if (most !== undefined && sizeBytes > most.bytes) {
    await rm(path, { force: true });
    const message = `Artifact size ${sizeText(sizeBytes)} exceeds maximum allowed size ${most.given}; file deleted`;
    throw new CommandError('cannotCreateOutput', message);
  }
  if (warnFrom !== undefined && sizeBytes > warnFrom.bytes) {
    world.stderr.write(
      `warning: Artifact size ${sizeText(sizeBytes)} exceeds specified limit ${warnFrom.given}\n`,
    );
  }
}

/** Compression (`compression` unless a flag says otherwise), signer and time of a written artifact. Throws `CommandError`. */
export async function writeOptionsFrom(
  line: CommandLine,
  world: World,
  compression: string = defaultCompression(world.programName),
): Promise<WriteOptions> {
  const signer = await signerFrom(line, world);
  const temporaryDirectory = line.text('tmp');
  return {
    ...compressionChoice(line.text('compression') ?? compression),
    compressors,
    modifiedAt: sourceDate(world.environment['SOURCE_DATE_EPOCH']),
    signal: world.signal,
    ...(signer === undefined ? {} : { signer }),
    ...(temporaryDirectory === undefined ? {} : { temporaryDirectory }),
  };
}

async function writeFile(
  description: ArtifactDescription,
  path: string,
  options: WriteOptions,
): Promise<{ readonly sizeBytes: number }> {
  try {
    return await writeArtifactFile(description, path, options);
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) throw cause;
    throw new CommandError('cannotCreateOutput', `cannot write the artifact ${path}: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

function sizeLimit(line: CommandLine, flag: string): { bytes: number; given: string } | undefined {
  const given = line.text(flag);
  if (given === undefined) return undefined;
  const bytes = parseSize(given);
  if (bytes !== undefined) return { bytes, given };
  throw new CommandError(
    'invalidParameters',
    `--${flag} ${given}: not a size; say for example 500MB or 1.5GB`,
  );
}

/** Seconds since 1970 that all files in the artifact bear (https://reproducible-builds.org/specs/source-date-epoch/). */
function sourceDate(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const seconds = Number(text);
  if (/^\d{1,11}$/.test(text)) return seconds;
  throw new CommandError(
    'invalidParameters',
    `SOURCE_DATE_EPOCH is "${text}"; it must be seconds since 1970`,
  );
}
