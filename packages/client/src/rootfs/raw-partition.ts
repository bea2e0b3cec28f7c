import { join } from 'node:path';
import type { PayloadFile } from '@tandem/artifact';
import type { BootEnvironment } from '@tandem/boot-environment';
import { ClientError } from '../client-error.ts';
import type { PayloadInstaller } from '../deployment/payload-installer.ts';
import type { System } from '../system/system.ts';
import { openInTime, type OpenFile } from '../system/open-in-time.ts';
import {
  findPartitions,
  otherPartition,
  partitionByNumber,
  runningPartition,
  type PartitionPair,
  type PartitionPlaces,
  type RootfsPartition,
} from './partitions.ts';
import { readPairDescriptions, type PairDescription } from './raw-partition-pairs.ts';
import { writeImage } from './write-image.ts';

export interface RawPartitionOptions {
  readonly system: System;
  /** Path of raw-partitions.json. */
  readonly pairsFile: string;
  readonly rootfsPartA: string;
  readonly rootfsPartB: string;
  /** Path of /proc/cmdline. */
  readonly kernelCommandLine: string;
  readonly bootEnvironment: (signal: AbortSignal) => Promise<BootEnvironment>;
  /** The work tree: survives power cuts from download to cleanup. */
  readonly workDirectory: string;
  /** False: an image is not read back after it was written (VerifyWrites); true when not given. */
  readonly verifyWrites?: boolean;
  readonly openPartition?: OpenFile;
  readonly places?: PartitionPlaces;
}

/**
 * Installs what lies bare in a partition, a kernel, device tree or ramdisk, into the one of two partitions that is not in use. The
 * artifact's meta-data names the pair, `{"pair": "kernel"}`, and `raw-partitions.json` on the device says what that is.
 *
 * A pair with a variable is chosen by the bootloader by that variable: it is turned, tried over a reboot, and turned back as a root
 * file system is. A pair without goes with the letter of the root file system: what is written is used by the next root file
 * system that is installed, and nothing of the running system changes.
 *
 * INVARIANT: the partition in use is never written, and the variable is turned only after the other one was written, read back, and
 * the number of the one in use was remembered on disk.
 */
export function rawPartition(options: RawPartitionOptions): PayloadInstaller {
  const { system, verifyWrites: verify = true, openPartition: open = openInTime(), places } = options;
  const originalFile = join(options.workDirectory, 'tmp', 'orig-part');

  const look = async (signal: AbortSignal): Promise<Situation> => {
    const description = await pairOfArtifact(options);
    const pair = await findPartitions(description.A, description.B, places);
    const environment = await options.bootEnvironment(signal);
    const variables = await environment.read();
    const onTrial = variables.get('upgrade_available') === '1';
    if (description.variable !== undefined) {
      const { variable } = description;
      const inUse = pair.find(({ number }) => String(number) === variables.get(variable)?.trim());
      if (inUse !== undefined) return { pair, environment, variable, onTrial, inUse };
      throw new ClientError(
        'badPartitions',
        `The boot environment's ${variable} is ${variables.get(variable) ?? 'missing'}, and the pair is ${pair[0].number} and ${pair[1].number}.`,
      );
    }
    const roots = await findPartitions(options.rootfsPartA, options.rootfsPartB, places);
    const running = await runningPartition(system.files, roots, options.kernelCommandLine, places);
    const chosen = partitionByNumber(roots, variables.get('mender_boot_part'));
    if (running.number !== chosen.number) {
      throw new ClientError(
        'badPartitions',
        `The running root file system is ${running.path}, but the boot environment says partition ${chosen.number} (mender_boot_part). ` +
          'Which partition goes with it cannot be told.',
      );
    }
    return {
      pair,
      environment,
      variable: undefined,
      onTrial,
      inUse: pair[running.number === roots[0].number ? 0 : 1],
    };
  };

  const remembered = async (pair: PartitionPair): Promise<RootfsPartition | undefined> => {
    const number = Buffer.from((await system.files.read(originalFile, 64)) ?? '')
      .toString()
      .trim();
    return number === '' ? undefined : partitionByNumber(pair, number);
  };

  return {
    async download(_payload, files, signal) {
      const { pair, onTrial, inUse } = await look(signal);
      if (onTrial) {
        throw new ClientError(
          'wrongState',
          'Cannot install: an earlier update is neither committed nor rolled back (upgrade_available is 1).',
        );
      }
      const file = onlyFile(files);
      for await (const image of file)
        await writeImage(system, otherPartition(pair, inUse), image, signal, { open, verify });
    },

    async artifactInstall(signal) {
      const { pair, environment, variable, onTrial, inUse } = await look(signal);
      if (variable === undefined) return;
      const original = await remembered(pair);
      if (onTrial && original !== undefined && original.number !== inUse.number) return;
      const next = otherPartition(pair, inUse);
      await system.files.makeDirectoryDurably(join(options.workDirectory, 'tmp'));
      await system.files.writeDurably(originalFile, `${inUse.number}\n`);
      await environment.write({
        [variable]: String(next.number),
        // What the bootloader goes back to by itself.
        [`${variable}_before`]: String(inUse.number),
        upgrade_available: '1',
        bootcount: '0',
      });
      system.log('info', `The next boot tries ${next.path} (${variable}=${next.number}).`);
    },

    async needsArtifactReboot(signal) {
      return (await look(signal)).variable === undefined ? 'No' : 'Automatic';
    },
    artifactReboot: () => Promise.resolve(),

    async artifactVerifyReboot(signal) {
      const { pair, variable, onTrial, inUse } = await look(signal);
      if (variable === undefined) return;
      if (onTrial && (await remembered(pair))?.number !== inUse.number) return;
      throw new ClientError(
        'wrongState',
        `The device did not start with ${otherPartition(pair, inUse).path}: the bootloader has gone back (${variable}=${inUse.number}).`,
      );
    },

    async artifactCommit(signal) {
      const { pair, environment, variable, onTrial, inUse } = await look(signal);
      if (variable === undefined) return;
      const original = await remembered(pair);
      if (original === undefined || original.number === inUse.number)
        throw new ClientError('wrongState', 'Upgrade failed and was reverted: refusing to commit!');
      // Else a commit that was cut off after its write.
      if (onTrial) await environment.write({ upgrade_available: '0', [`${variable}_before`]: '' });
    },

    supportsRollback: () => Promise.resolve(true),

    async artifactRollback(signal) {
      const { pair, environment, variable } = await look(signal);
      if (variable === undefined) return;
      const original = await remembered(pair);
      // Never turned.
      if (original === undefined) return;
      // Also where the bootloader has turned it back already, as `rootfs-image.ts` has it.
      await environment.write({
        [variable]: String(original.number),
        [`${variable}_before`]: '',
        upgrade_available: '0',
      });
      system.log('info', `The next boot goes back to ${original.path} (${variable}=${original.number}).`);
    },

    artifactRollbackReboot: () => Promise.resolve(),

    async artifactVerifyRollbackReboot(signal) {
      const { pair, variable, onTrial, inUse } = await look(signal);
      const original = await remembered(pair);
      if (variable === undefined || original === undefined || (!onTrial && original.number === inUse.number))
        return;
      throw new ClientError('wrongState', `The device did not go back: ${variable} is ${inUse.number}.`);
    },

    artifactFailure: () => Promise.resolve(),
    cleanup: () => Promise.resolve(),
  };
}

interface Situation {
  readonly pair: PartitionPair;
  readonly environment: BootEnvironment;
  /** By which the bootloader chooses; undefined: by the root file system. */
  readonly variable: string | undefined;
  readonly onTrial: boolean;
  /** What the bootloader starts with next. */
  readonly inUse: RootfsPartition;
}

/** The pair the artifact's meta-data names. */
async function pairOfArtifact({
  system,
  workDirectory,
  pairsFile,
}: RawPartitionOptions): Promise<PairDescription> {
  const bytes = await system.files.read(join(workDirectory, 'header', 'meta-data'), 64 * 1024);
  const name = nameIn(Buffer.from(bytes ?? '').toString());
  const pairs = await readPairDescriptions(system.files, pairsFile);
  const pair = pairs.get(name);
  if (pair !== undefined) return pair;
  throw new ClientError(
    'badPartitions',
    `The artifact is for the partitions '${name}', and ${pairsFile} knows ${[...pairs.keys()].join(', ') || 'none'}.`,
  );
}

function nameIn(metaData: string): string {
  try {
    const value: unknown = JSON.parse(metaData);
    if (typeof value === 'object' && value !== null && 'pair' in value && typeof value.pair === 'string')
      return value.pair;
  } catch {
    // Said below.
  }
  throw new ClientError(
    'badImage',
    'The artifact does not say which partitions it is for: meta-data {"pair": "kernel"}.',
  );
}

/** The files one by one; a second one, or none at all, is refused. */
async function* onlyFile(files: AsyncIterable<PayloadFile>): AsyncGenerator<PayloadFile> {
  let count = 0;
  for await (const file of files) {
    count += 1;
    if (count > 1)
      throw new ClientError('badImage', 'An artifact for a partition must hold exactly one file.');
    yield file;
  }
  if (count === 0) throw new ClientError('badImage', 'The artifact for a partition holds no file.');
}
