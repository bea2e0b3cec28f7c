import type { BootEnvironment } from './boot-environment.ts';
import { assertPair, bothInvalid, readCopy, writeCopy, type CopyPair } from './environment-copies.ts';
import { applyChanges } from './in-memory-environment.ts';
import { oneAfterAnother } from './one-after-another.ts';
import { decodeEnvironment, encodeEnvironment, newerCopy } from './u-boot-format.ts';

/**
 * U-Boot's redundant environment in plain files or on block devices.
 *
 * INVARIANT: only the copy that does not count is ever written, and it is on disk before `write` resolves. A power cut at any
 * moment leaves the copy that counted before, or the new one whole.
 *
 * Operations of one such value run one after another; make one value for an environment and share it. Other programs are not
 * locked out (U-Boot's own tools take a lock of theirs, which Node cannot take).
 *
 * Throws `BootEnvironmentError` at once when the copies cannot be a pair.
 */
export function uBootEnvironment(copies: CopyPair): BootEnvironment {
  assertPair(copies);
  // A copy whose write failed may read well from the cache and not be on disk. It must not become the only good one.
  let unproven: 0 | 1 | undefined;

  const current = async () => {
    const decoded = await Promise.all([
      readCopy(copies[0], decodeEnvironment),
      readCopy(copies[1], decodeEnvironment),
    ] as const);
    if (unproven !== undefined) decoded[unproven] = { valid: false, reason: 'an earlier write of it failed' };
    const index = newerCopy(decoded[0], decoded[1]);
    const copy = index === 'neither' ? undefined : decoded[index];
    if (index === 'neither' || copy?.valid !== true) throw bothInvalid(copies, decoded);
    return { index, flag: copy.flag, variables: copy.variables };
  };

  const inTurn = oneAfterAnother();
  return {
    read: () => inTurn(async () => (await current()).variables),
    write: (changes) =>
      inTurn(async () => {
        const before = await current();
        const variables = new Map(before.variables);
        applyChanges(variables, changes);
        const other = before.index === 0 ? 1 : 0;
        const bytes = encodeEnvironment(variables, before.flag + 1, copies[other].sizeBytes);
        unproven = other;
        await writeCopy(copies[other], bytes, 'existing');
        unproven = undefined;
      }),
  };
}

/**
 * Writes a fresh environment into both copies, the first being the newer one; makes the files if they do not exist. For the
 * making of images and virtual devices: on a running device this forgets whatever stood there.
 */
export async function createUBootEnvironment(
  copies: CopyPair,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  assertPair(copies);
  const map = new Map(Object.entries(variables));
  await writeCopy(copies[1], encodeEnvironment(map, 0, copies[1].sizeBytes), 'create');
  await writeCopy(copies[0], encodeEnvironment(map, 1, copies[0].sizeBytes), 'create');
}
