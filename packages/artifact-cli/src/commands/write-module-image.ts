import { moduleImage, type PayloadDescription } from '@tandem/artifact';
import type { CommandLine } from '../command-line.ts';
import { CommandError } from '../exit-status.ts';
import type { World } from '../world.ts';
import {
  keyValues,
  metaDataFrom,
  namingFrom,
  providesFrom,
  requireFlags,
  softwareFrom,
} from '../write-flags.ts';
import { writeOutput } from '../write-output.ts';

/** `write module-image` */
export async function writeModuleImage(line: CommandLine, world: World): Promise<void> {
  const type = line.text('type');
  requireFlags({ 'artifact-name': line.text('artifact-name'), type });
  const naming = await namingFrom(line, world);
  if (naming.formatVersion === 2) {
    throw new CommandError('invalidParameters', 'Payloads of update modules need artifact version 3');
  }
  const software = softwareFrom(line);
  const filesystem = software.filesystem ?? 'rootfs-image';
  const metaData = await metaDataFrom(line.text('meta-data'));
  const payload = moduleImage({
    artifactName: naming.artifactName,
    type: type ?? '',
    files: line.list('file').map((path) => ({ path })),
    software,
    provides: providesFrom(line, [
      `${filesystem}.version`,
      `${filesystem}.${software.name ?? type ?? ''}.version`,
    ]),
    depends: keyValues(line.list('depends')),
    clearsProvides: line.list('clears-provides'),
    ...(metaData === undefined ? {} : { metaData }),
  });
  const augment = await augmentFrom(line);
  await writeOutput({ ...naming, payload, ...(augment === undefined ? {} : { augment }) }, line, world);
}

const augmentFlags = ['augment-provides', 'augment-depends', 'augment-meta-data', 'augment-file'] as const;

async function augmentFrom(line: CommandLine): Promise<PayloadDescription | undefined> {
  const type = line.text('augment-type');
  if (type === undefined) {
    if (!augmentFlags.some((flag) => line.has(flag))) return undefined;
    throw new CommandError(
      'invalidParameters',
      'Must give --augment-type argument if making augmented artifact',
    );
  }
  const metaData = await metaDataFrom(line.text('augment-meta-data'));
  return {
    type,
    provides: keyValues(line.list('augment-provides')),
    depends: keyValues(line.list('augment-depends')),
    files: line.list('augment-file').map((path) => ({ path })),
    ...(metaData === undefined ? {} : { metaData }),
  };
}
