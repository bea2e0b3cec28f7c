import { join } from 'node:path';
import type { BootEnvironment } from '@tandem/boot-environment';
import { ClientError } from '../client-error.ts';
import type { PayloadInstaller } from '../deployment/payload-installer.ts';
import type { System } from '../system/system.ts';
import {
  findPartitions,
  otherPartition,
  partitionByNumber,
  runningPartition,
  type PartitionPair,
  type PartitionPlaces,
  type RootfsPartition,
} from './partitions.ts';
import { openInTime, type OpenFile } from '../system/open-in-time.ts';
import { readBack } from './read-back.ts';
import { writeImage } from './write-image.ts';

export interface RootfsImageOptions {
  readonly system: System;
  /** The configuration's RootfsPartA and RootfsPartB. */
  readonly rootfsPartA: string;
  readonly rootfsPartB: string;
  /** Path of /proc/cmdline. */
  readonly kernelCommandLine: string;
  readonly bootEnvironment: (signal: AbortSignal) => Promise<BootEnvironment>;
  /** Survives power cuts from download to cleanup. */
  readonly workDirectory: string;
  /** Longest time of each step but the download, whose own waits are bounded (ModuleTimeoutSeconds). */
  readonly stepTimeoutMs: number;
  /** False: an image is not read back after it was written (VerifyWrites); true when not given. */
  readonly verifyWrites?: boolean;
  /** How partitions are opened; in the usual way, each call bounded in time, when not given. */
  readonly openPartition?: OpenFile;
  /** Where devices and mounts show; in the usual places when not given. */
  readonly places?: PartitionPlaces;
}

/**
 * Installs root file systems into the one of two partitions that is not running (client contract 17). Each method looks at the
 * boot environment and the running root anew, so each may be repeated after a power cut.
 *
 * INVARIANT: the partition that is running is never written, and the boot flag is turned only after the other one was written,
 * read back, and the number of the running one was remembered on disk.
 */
export function rootfsImage(options: RootfsImageOptions): PayloadInstaller {
  const { system, verifyWrites: verify = true, openPartition: open = openInTime() } = options;
  const originalPartFile = join(options.workDirectory, 'tmp', 'orig-part');

  const look = async (signal: AbortSignal): Promise<Situation> => {
    const pair = await findPartitions(options.rootfsPartA, options.rootfsPartB, options.places);
    const environment = await options.bootEnvironment(signal);
    const variables = await environment.read();
    if (
      variables.get('mender_check_saveenv_canary') === '1' &&
      variables.get('mender_saveenv_canary') !== '1'
    ) {
      throw new ClientError(
        'badBootEnvironment',
        'The bootloader never managed to save its environment (mender_saveenv_canary is not 1): ' +
          'it reads another place than fw_env.config names. An update could not be rolled back.',
      );
    }
    return {
      pair,
      environment,
      chosen: partitionByNumber(pair, variables.get('mender_boot_part')),
      onTrial: variables.get('upgrade_available') === '1',
      running: () => runningPartition(system.files, pair, options.kernelCommandLine, options.places),
    };
  };

  const rememberedOriginal = async (pair: PartitionPair): Promise<RootfsPartition | undefined> => {
    const bytes = await system.files.read(originalPartFile, 64);
    const number = Buffer.from(bytes ?? '')
      .toString()
      .trim();
    return number === '' ? undefined : partitionByNumber(pair, number);
  };

  const step = (run: (signal: AbortSignal) => Promise<void>) => (signal: AbortSignal) =>
    inTime(run, options.stepTimeoutMs, signal);

  return {
    async download(_payload, files, signal, progress) {
      const inactive = await partitionToWrite(await look(signal));
      let written = 0;
      for await (const file of files) {
        written += 1;
        if (written > 1)
          throw new ClientError('badImage', 'A root file system artifact must hold exactly one file.');
        // A UBI volume is written as a whole: it cannot be gone on with in the middle.
        const canGoOn = inactive.ubiVolume === undefined;
        await writeImage(system, inactive, file, signal, {
          open,
          verify,
          progress: canGoOn ? progress : undefined,
        });
      }
      if (written === 0) throw new ClientError('badImage', 'The root file system artifact holds no file.');
    },

    async storedContent({ target, bytes }, signal) {
      const inactive = await partitionToWrite(await look(signal));
      const canGoOn = inactive.path === target && inactive.ubiVolume === undefined;
      return canGoOn ? readBack(target, bytes, system.log, signal, open) : undefined;
    },

    artifactInstall: step(async (signal) => {
      const situation = await look(signal);
      const running = await situation.running();
      const inactive = otherPartition(situation.pair, running);
      if (situation.onTrial && situation.chosen.number === inactive.number) return;
      await assertRunning(situation);
      await system.files.makeDirectoryDurably(join(options.workDirectory, 'tmp'));
      await system.files.writeDurably(originalPartFile, `${running.number}\n`);
      await situation.environment.write({ ...bootOf(inactive), upgrade_available: '1', bootcount: '0' });
      system.log('info', `The next boot tries ${inactive.path} (partition ${inactive.number}).`);
    }),

    needsArtifactReboot: () => Promise.resolve('Automatic'),
    // Not asked for with Automatic; the client reboots the device itself.
    artifactReboot: () => Promise.resolve(),

    artifactVerifyReboot: step(async (signal) => {
      const situation = await look(signal);
      if (!situation.onTrial) {
        throw new ClientError(
          'wrongState',
          'The new root file system did not start: the bootloader has gone back to the old one (upgrade_available is not 1).',
        );
      }
      await assertRunning(situation);
    }),

    artifactCommit: step(async (signal) => {
      const situation = await look(signal);
      const running = await situation.running();
      const original = await rememberedOriginal(situation.pair);
      const runsChosen = running.number === situation.chosen.number;
      // A commit that was cut off after its write: the new root file system runs, and the trial is over.
      const alreadyDone =
        !situation.onTrial && runsChosen && original !== undefined && original.number !== running.number;
      if (alreadyDone) return;
      if (!situation.onTrial) {
        throw new ClientError('wrongState', 'Upgrade failed and was reverted: refusing to commit!');
      }
      if (!runsChosen) {
        throw new ClientError(
          'wrongState',
          `Refusing to commit: the new root file system (${situation.chosen.path}) has not been started yet. Reboot first.`,
        );
      }
      await situation.environment.write({ upgrade_available: '0' });
    }),

    supportsRollback: () => Promise.resolve(true),

    artifactRollback: step(async (signal) => {
      const { pair, chosen, onTrial, environment } = await look(signal);
      const original =
        (await rememberedOriginal(pair)) ?? (onTrial ? otherPartition(pair, chosen) : undefined);
      // Never turned.
      if (original === undefined) return;
      // Also where the bootloader has turned it back already: GRUB cannot flush, and once the record of the update is gone, a drive that
      // loses power and its cache would bring the trial back.
      await environment.write({ ...bootOf(original), upgrade_available: '0' });
      system.log('info', `The next boot goes back to ${original.path} (partition ${original.number}).`);
    }),

    artifactRollbackReboot: () => Promise.resolve(),

    artifactVerifyRollbackReboot: step(async (signal) => {
      const situation = await look(signal);
      if (situation.onTrial) {
        throw new ClientError(
          'wrongState',
          'The device did not go back to its old root file system: upgrade_available is 1.',
        );
      }
      await assertRunning(situation);
    }),

    artifactFailure: () => Promise.resolve(),
    cleanup: () => Promise.resolve(),
  };
}

/** A device whose storage hangs must not hang the update: the step fails, whatever becomes of what it waits for. */
async function inTime(
  run: (signal: AbortSignal) => Promise<void>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const timeUp = new AbortController();
  let onEnd: () => void = () => undefined;
  const ended = new Promise<never>((_resolve, reject) => {
    onEnd = () => {
      reject(signal.aborted ? signal.reason : timeUp.signal.reason);
    };
  });
  const either = AbortSignal.any([signal, timeUp.signal]);
  either.addEventListener('abort', onEnd, { once: true });
  const timer = setTimeout(() => {
    timeUp.abort(
      new ClientError('timedOut', `The step took more than ${timeoutMs / 1000} s (ModuleTimeoutSeconds).`),
    );
  }, timeoutMs);
  try {
    signal.throwIfAborted();
    await Promise.race([run(either), ended]);
  } finally {
    clearTimeout(timer);
    either.removeEventListener('abort', onEnd);
  }
}

interface Situation {
  readonly pair: PartitionPair;
  readonly environment: BootEnvironment;
  /** What the bootloader boots next: `mender_boot_part`. */
  readonly chosen: RootfsPartition;
  /** A trial boot is pending or running: `upgrade_available` is 1. */
  readonly onTrial: boolean;
  readonly running: () => Promise<RootfsPartition>;
}

/** The one that is not running, while no trial of it is under way. */
async function partitionToWrite(situation: Situation): Promise<RootfsPartition> {
  if (situation.onTrial) {
    throw new ClientError(
      'wrongState',
      'Cannot install: an earlier update is neither committed nor rolled back (upgrade_available is 1).',
    );
  }
  return otherPartition(situation.pair, await assertRunning(situation));
}

/** The root check: what is running is what the bootloader is said to boot. */
async function assertRunning({ chosen, running }: Situation): Promise<RootfsPartition> {
  const found = await running();
  if (found.number === chosen.number) return found;
  throw new ClientError(
    'badPartitions',
    `The running root file system is ${found.path}, but the boot environment says partition ${chosen.number} ` +
      `(mender_boot_part). Nothing is touched until they agree; look at fw_env.config and the bootloader.`,
  );
}

/** U-Boot's commands take partition numbers in hexadecimal, the kernel's device names in decimal. */
function bootOf({ number }: RootfsPartition): Record<'mender_boot_part' | 'mender_boot_part_hex', string> {
  return { mender_boot_part: String(number), mender_boot_part_hex: number.toString(16) };
}
