import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootEnvironment } from './boot-environment.ts';
import { BootEnvironmentError } from './errors.ts';
import type { TakeLock } from './file-lock.ts';
import { decodeGrubBlock, encodeGrubBlock, usualGrubBlockBytes } from './grub-block.ts';
import { grubFiles, type GrubFiles } from './grub-files.ts';
import { applyChanges } from './in-memory-environment.ts';
import { oneAfterAnother } from './one-after-another.ts';

/**
 * The redundant environment Mender keeps for GRUB (client contract 17.5): below the directory, `mender_grubenv1` and
 * `mender_grubenv2`, each with
 *
 *   env               the variables
 *   lock              a block that says editing=1 while env is being written
 *   lock.sha256sum    the checksum of the lock that says editing=0
 *
 * A copy is valid when its lock has that checksum; the first counts while it is valid. GRUB looks at the second lock, then the
 * first, and copies the other environment over one that was being edited.
 *
 * INVARIANT: of the two locks at most one does not say editing=0, and then the other environment is whole. A write goes
 * through the second copy, then the first, each step on disk before the next; a power cut at any byte leaves the old
 * environment or the new one, and GRUB and we read the same.
 *
 * `lock` keeps out other programs; operations of one such value run one after another.
 */
export function grubEnvironment(
  directory: string,
  lock: TakeLock,
  files: GrubFiles = grubFiles,
): BootEnvironment {
  const copies = [copyAt(directory, 1), copyAt(directory, 2)] as const;

  const repaired = async (): Promise<ReadonlyMap<string, string>> => {
    const [first, second] = [await readCopy(copies[0], files), await readCopy(copies[1], files)];
    if (first.valid) {
      if (!second.valid) await writeCopy(copies[1], first.variables, files, first.lock);
      return first.variables;
    }
    if (!second.valid) throw bothInvalid(directory, first.reason, second.reason);
    await writeCopy(copies[0], second.variables, files, second.lock);
    return second.variables;
  };

  const inTurn = oneAfterAnother();
  const locked = <Result>(run: () => Promise<Result>) =>
    inTurn(async () => {
      const release = await lock();
      try {
        return await run();
      } finally {
        await release();
      }
    });
  return {
    read: () => locked(repaired),
    write: (changes) =>
      locked(async () => {
        const variables = new Map(await repaired());
        applyChanges(variables, changes);
        await writeCopy(copies[1], variables, files);
        await writeCopy(copies[0], variables, files);
      }),
  };
}

/** Makes the environment in a directory, both copies the same. For the making of images: what stood there is forgotten. */
export async function createGrubEnvironment(
  directory: string,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  for (const number of [2, 1] as const) {
    const copy = copyAt(directory, number);
    await mkdir(copy.directory, { recursive: true });
    await writeCopy(copy, new Map(Object.entries(variables)), grubFiles);
  }
}

/** Where GRUB's environment may lie, the newer places first (client contract 17.5). */
export const usualGrubDirectories = [
  '/boot/efi/grub-mender-grubenv',
  '/boot/grub/grub-mender-grubenv',
  '/boot/efi/EFI/BOOT',
  '/boot/grub',
] as const;

interface GrubCopy {
  readonly directory: string;
  readonly env: string;
  readonly lock: string;
  readonly sum: string;
}

function copyAt(directory: string, number: 1 | 2): GrubCopy {
  const at = join(directory, `mender_grubenv${number}`);
  return { directory: at, env: join(at, 'env'), lock: join(at, 'lock'), sum: join(at, 'lock.sha256sum') };
}

type FoundCopy =
  | { readonly valid: true; readonly variables: ReadonlyMap<string, string>; readonly lock: Buffer }
  | { readonly valid: false; readonly reason: string };

async function readCopy(copy: GrubCopy, files: GrubFiles): Promise<FoundCopy> {
  const env = await files.read(copy.env);
  const lock = await files.read(copy.lock);
  const sum = await files.read(copy.sum);
  if (env === undefined || lock === undefined || sum === undefined)
    return { valid: false, reason: `not all files in ${copy.directory} can be read` };
  if (!isSumOf(sum, lock))
    return { valid: false, reason: `${copy.lock} is not what its checksum says: a write was cut off` };
  const decoded = decodeGrubBlock(env);
  return decoded.valid
    ? { ...decoded, lock }
    : { valid: false, reason: `${copy.env} is no environment: ${decoded.reason}` };
}

/**
 * Editing on, the variables, editing off: each on disk before the next. `otherLock`: the lock of a valid copy, when this one is
 * being repaired.
 */
async function writeCopy(
  copy: GrubCopy,
  variables: ReadonlyMap<string, string>,
  files: GrubFiles,
  otherLock?: Buffer,
): Promise<void> {
  const env = encodeGrubBlock(variables, (await files.read(copy.env))?.length || usualGrubBlockBytes);
  const sum = await files.read(copy.sum);
  const unlocked = unlockedOf(await files.read(copy.lock), otherLock, sum);
  await files.overwrite(copy.lock, withEditing(unlocked, '1'));
  await files.overwrite(copy.env, env);
  // The checksum stays what it is wherever possible: other tools make locks anew and expect it to fit.
  if (sum === undefined || !isSumOf(sum, unlocked))
    await files.overwrite(copy.sum, Buffer.from(`${sha256(unlocked)}  lock\n`));
  await files.overwrite(copy.lock, unlocked);

  const written = await readCopy(copy, files);
  if (written.valid) return;
  throw new BootEnvironmentError(
    'io',
    `Cannot write the boot environment: after the write, ${written.reason}.`,
  );
}

/** The lock that says editing=0, in the bytes the checksum knows: this copy's own, the other copy's, or one as GRUB's tool makes it. */
function unlockedOf(
  lock: Buffer | undefined,
  otherLock: Buffer | undefined,
  sum: Buffer | undefined,
): Buffer {
  const fresh = encodeGrubBlock(new Map([['editing', '0']]), usualGrubBlockBytes);
  const own = lock === undefined ? fresh : withEditing(lock, '0');
  const known = [own, otherLock ?? fresh, fresh];
  return known.find((one) => sum !== undefined && isSumOf(sum, one)) ?? otherLock ?? fresh;
}

/** In place, as GRUB does it: everything else in the block stays. */
const withEditing = (lock: Buffer, value: '0' | '1'): Buffer =>
  Buffer.from(lock.toString('latin1').replace(/^editing=.$/m, `editing=${value}`), 'latin1');

const isSumOf = (sum: Buffer, lock: Buffer): boolean => sum.toString('latin1').startsWith(`${sha256(lock)} `);

function bothInvalid(directory: string, ...reasons: readonly [string, string]): BootEnvironmentError {
  return new BootEnvironmentError(
    'bothCopiesInvalid',
    `Cannot read the boot environment in ${directory}: neither copy is valid (${reasons.join('; ')}). ` +
      'Check that the boot partition is mounted; if it is, restore mender_grubenv1 and mender_grubenv2 from the image.',
  );
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
