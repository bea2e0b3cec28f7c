import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BootEnvironment } from './boot-environment.ts';
import { BootEnvironmentError } from './errors.ts';
import type { EnvironmentCopy } from './fw-env-config.ts';
import { applyChanges } from './in-memory-environment.ts';
import {
  copySizeLimits,
  decodeEnvironment,
  encodeEnvironment,
  newerCopy,
  type DecodedCopy,
} from './u-boot-format.ts';

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
export function uBootEnvironment(copies: readonly [EnvironmentCopy, EnvironmentCopy]): BootEnvironment {
  assertPair(copies);
  // A copy whose write failed may read well from the cache and not be on disk. It must not become the only good one.
  let unproven: 0 | 1 | undefined;

  const current = async () => {
    const decoded = await Promise.all([readCopy(copies[0]), readCopy(copies[1])] as const);
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
  copies: readonly [EnvironmentCopy, EnvironmentCopy],
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  assertPair(copies);
  const map = new Map(Object.entries(variables));
  await writeCopy(copies[1], encodeEnvironment(map, 0, copies[1].sizeBytes), 'create');
  await writeCopy(copies[0], encodeEnvironment(map, 1, copies[0].sizeBytes), 'create');
}

function assertPair([first, second]: readonly [EnvironmentCopy, EnvironmentCopy]): void {
  const fault = faultOfPair(first, second);
  if (fault === undefined) return;
  throw new BootEnvironmentError(
    'badLayout',
    `Cannot use ${describe(first)} and ${describe(second)} as a redundant boot environment: ${fault}. Correct fw_env.config.`,
  );
}

function faultOfPair(first: EnvironmentCopy, second: EnvironmentCopy): string | undefined {
  const { minimumBytes, maximumBytes } = copySizeLimits;
  for (const { offsetBytes, sizeBytes } of [first, second]) {
    if (!Number.isSafeInteger(offsetBytes)) return 'an offset must be a whole number of bytes';
    if (!Number.isInteger(sizeBytes) || sizeBytes < minimumBytes || sizeBytes > maximumBytes) {
      return `a copy must have between ${minimumBytes} and ${maximumBytes} bytes`;
    }
  }
  if (first.sizeBytes !== second.sizeBytes) return 'the copies differ in size';
  const sameFile = first.path === second.path && first.offsetBytes < 0 === second.offsetBytes < 0;
  if (sameFile && Math.abs(first.offsetBytes - second.offsetBytes) < first.sizeBytes)
    return 'the copies overlap';
  return undefined;
}

function bothInvalid(
  copies: readonly [EnvironmentCopy, EnvironmentCopy],
  decoded: readonly [DecodedCopy, DecodedCopy],
): BootEnvironmentError {
  const faults = copies.map((copy, index) => {
    const result = decoded[index];
    return `${describe(copy)}: ${result?.valid === false ? result.reason : 'unreadable'}`;
  });
  return new BootEnvironmentError(
    'bothCopiesInvalid',
    `Cannot read the boot environment: neither copy is valid (${faults.join('; ')}). ` +
      'Check that fw_env.config names the right device, offsets and size; if it does, restore the environment from U-Boot (env default -a; saveenv).',
  );
}

/** A copy that cannot be read is no copy; the other may still serve. Only what must not be touched at all is thrown. */
async function readCopy(copy: EnvironmentCopy): Promise<DecodedCopy> {
  try {
    return await readWholeCopy(copy);
  } catch (error) {
    if (error instanceof BootEnvironmentError && error.code === 'io')
      return { valid: false, reason: error.message };
    throw error;
  }
}

async function readWholeCopy(copy: EnvironmentCopy): Promise<DecodedCopy> {
  return await withFile(copy, 'r', 'read', async (file) => {
    const bytes = Buffer.alloc(copy.sizeBytes);
    const position = await positionOf(copy, file);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    if (filled < bytes.length)
      return { valid: false, reason: `only ${filled} of ${bytes.length} bytes are there` };
    return decodeEnvironment(bytes);
  });
}

async function writeCopy(
  copy: EnvironmentCopy,
  bytes: Uint8Array,
  file: 'existing' | 'create',
): Promise<void> {
  if (file === 'create') await ensureFile(copy);
  await withFile(copy, 'r+', 'write', async (handle) => {
    const position = await positionOf(copy, handle);
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
      written += bytesWritten;
    }
    await handle.sync();
  });
}

async function ensureFile(copy: EnvironmentCopy): Promise<void> {
  await withFile(copy, 'a', 'create', (handle) => handle.sync());
  await withFile({ ...copy, path: dirname(copy.path) }, 'r', 'create', (directory) => directory.sync());
}

async function positionOf(copy: EnvironmentCopy, file: FileHandle): Promise<number> {
  const status = await file.stat();
  if (status.isCharacterDevice()) {
    throw new BootEnvironmentError(
      'notSupported',
      `Cannot use the boot environment at ${describe(copy)}: raw flash needs erasing by U-Boot's own tools. ` +
        'Install libubootenv-tool and set "BootEnvironment": "fw-tools".',
    );
  }
  if (copy.offsetBytes >= 0) return copy.offsetBytes;
  const sizeBytes = status.isBlockDevice() ? await blockDeviceSize(copy, file) : status.size;
  if (sizeBytes + copy.offsetBytes >= 0) return sizeBytes + copy.offsetBytes;
  throw new BootEnvironmentError(
    'badLayout',
    `Cannot use ${describe(copy)}: the offset lies before its beginning.`,
  );
}

/** Node has no ioctl for a block device's size and no seek; the last readable byte is found by halving. */
async function blockDeviceSize(copy: EnvironmentCopy, file: FileHandle): Promise<number> {
  const probe = Buffer.alloc(1);
  const readable = async (position: number) => (await file.read(probe, 0, 1, position)).bytesRead === 1;
  let low = 0;
  let high = -copy.offsetBytes;
  while (await readable(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await readable(middle)) low = middle;
    else high = middle;
  }
  return high;
}

async function withFile<Result>(
  copy: EnvironmentCopy,
  flags: 'r' | 'r+' | 'a',
  action: 'read' | 'write' | 'create',
  use: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  try {
    const file = await open(copy.path, flags);
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof BootEnvironmentError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new BootEnvironmentError(
      'io',
      `Cannot ${action} the boot environment at ${describe(copy)}: ${reason}.`,
      error,
    );
  }
}

function describe({ path, offsetBytes, sizeBytes }: EnvironmentCopy): string {
  return `${path} (offset ${offsetBytes}, ${sizeBytes} bytes)`;
}

/** Runs what it is given one after another, in the order given; a failure does not stop those behind it. */
function oneAfterAnother(): <Result>(run: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return async (run) => {
    const turn = last.then(run);
    last = turn.catch(() => undefined);
    return await turn;
  };
}
