import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BootEnvironmentError } from './errors.ts';
import type { EnvironmentCopy } from './fw-env-config.ts';
import { copySizeLimits } from './u-boot-format.ts';

export type CopyPair = readonly [EnvironmentCopy, EnvironmentCopy];

/** A copy that is not there, or not whole. */
export interface UnreadableCopy {
  readonly valid: false;
  readonly reason: string;
}

/** A copy that cannot be read is no copy; the other may still serve. Only what must not be touched at all is thrown. */
export async function readCopy<Decoded extends { readonly valid: boolean }>(
  copy: EnvironmentCopy,
  decode: (bytes: Buffer) => Decoded,
): Promise<Decoded | UnreadableCopy> {
  try {
    return await readWholeCopy(copy, decode);
  } catch (error) {
    if (error instanceof BootEnvironmentError && error.code === 'io')
      return { valid: false, reason: error.message };
    throw error;
  }
}

async function readWholeCopy<Decoded>(
  copy: EnvironmentCopy,
  decode: (bytes: Buffer) => Decoded,
): Promise<Decoded | UnreadableCopy> {
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
    return decode(bytes);
  });
}

/** Durable when resolved. */
export async function writeCopy(
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

/** Throws `BootEnvironmentError` `badLayout` when the two copies cannot be a pair. */
export function assertPair([first, second]: CopyPair): void {
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

export function bothInvalid(
  copies: CopyPair,
  decoded: readonly [{ readonly valid: boolean }, { readonly valid: boolean }],
): BootEnvironmentError {
  const faults = copies.map((copy, index) => {
    const result = decoded[index];
    return `${describe(copy)}: ${result !== undefined && 'reason' in result ? String(result.reason) : 'unreadable'}`;
  });
  return new BootEnvironmentError(
    'bothCopiesInvalid',
    `Cannot read the boot environment: neither copy is valid (${faults.join('; ')}). ` +
      'Check that fw_env.config names the right device, offsets and size; if it does, restore the environment from U-Boot (env default -a; saveenv).',
  );
}

export function describe({ path, offsetBytes, sizeBytes }: EnvironmentCopy): string {
  return `${path} (offset ${offsetBytes}, ${sizeBytes} bytes)`;
}
