import type { BootEnvironment } from './boot-environment.ts';
import {
  assertPair,
  bothInvalid,
  describe,
  readCopy,
  writeCopy,
  type CopyPair,
  type UnreadableCopy,
} from './environment-copies.ts';
import { BootEnvironmentError } from './errors.ts';
import { applyChanges } from './in-memory-environment.ts';
import { oneAfterAnother } from './one-after-another.ts';
import {
  decodeEnvironment,
  decodePlainEnvironment,
  encodePlainEnvironment,
  type DecodedPlainCopy,
} from './u-boot-format.ts';

/**
 * Two plain environments of U-Boot, for boards whose U-Boot was built without redundant environments but tries a second place
 * when the first one's checksum is wrong. There is no flag: the first copy counts while it is valid, else the second.
 *
 * INVARIANT: the copy that counts is written only after the other one was written, flushed, read back and found to be the new
 * environment. A power cut at any byte leaves the old environment or the new one, and at least one valid copy.
 *
 * Otherwise as `uBootEnvironment`.
 */
export function uBootTwoCopies(copies: CopyPair): BootEnvironment {
  assertPair(copies);
  // A copy whose write failed may read well from the cache and not be on disk.
  const unproven = new Set<0 | 1>();

  const read = async (index: 0 | 1): Promise<DecodedPlainCopy | UnreadableCopy> =>
    unproven.has(index)
      ? { valid: false, reason: 'an earlier write of it failed' }
      : await readCopy(copies[index], decodePlainEnvironment);
  const current = async () => {
    const [first, second] = [await read(0), await read(1)];
    if (first.valid) return { index: 0, variables: first.variables } as const;
    if (second.valid) return { index: 1, variables: second.variables } as const;
    throw bothInvalid(copies, [first, second]);
  };
  const writeProven = async (index: 0 | 1, bytes: Uint8Array) => {
    unproven.add(index);
    await writeCopy(copies[index], bytes, 'existing');
    const there = await readCopy(copies[index], (found) => ({ valid: found.equals(bytes) }));
    if (!there.valid) {
      throw new BootEnvironmentError(
        'io',
        `Cannot write the boot environment at ${describe(copies[index])}: what was read back is not what was written.`,
      );
    }
    unproven.delete(index);
  };

  const inTurn = oneAfterAnother();
  return {
    read: () => inTurn(async () => (await current()).variables),
    write: (changes) =>
      inTurn(async () => {
        const before = await current();
        const variables = new Map(before.variables);
        applyChanges(variables, changes);
        const bytes = encodePlainEnvironment(variables, copies[0].sizeBytes);
        await writeProven(before.index === 0 ? 1 : 0, bytes);
        await writeProven(before.index, bytes);
      }),
  };
}

/** Writes a fresh environment into both copies; makes the files if they do not exist. */
export async function createUBootTwoCopies(
  copies: CopyPair,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  assertPair(copies);
  const bytes = encodePlainEnvironment(new Map(Object.entries(variables)), copies[0].sizeBytes);
  await writeCopy(copies[1], bytes, 'create');
  await writeCopy(copies[0], bytes, 'create');
}

/** Which kind of environment the two copies hold, as far as a valid one tells; the checksum fits only one kind. */
export async function uBootEnvironmentKind(copies: CopyPair): Promise<'redundant' | 'plain' | 'unknown'> {
  for (const copy of copies) {
    const found = await readCopy(copy, (bytes) => ({
      valid: true,
      redundant: decodeEnvironment(bytes).valid,
      plain: decodePlainEnvironment(bytes).valid,
    }));
    if ('redundant' in found && found.redundant) return 'redundant';
    if ('plain' in found && found.plain) return 'plain';
  }
  return 'unknown';
}
