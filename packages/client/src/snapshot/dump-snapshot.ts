import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { ClientError } from '../client-error.ts';
import { fileSystemOf, type FileSystem, type KernelFiles } from './file-system.ts';
import { freeze, type Frozen, type FreezeNeeds } from './frozen.ts';

/** Node has it; the types of Node leave it to those of browsers. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

export const compressions = ['none', 'gzip'] as const;
export type SnapshotCompression = (typeof compressions)[number];

export interface SnapshotOptions {
  /** Any path on the file system, or its block device. */
  readonly source: string;
  readonly compression: SnapshotCompression;
  /** What must not be on the file system: who writes there would wait until the end, and the client with it. */
  readonly mustNotBeFrozen: readonly string[];
  /** Device numbers of what this process itself writes to, such as its output. */
  readonly writesTo: readonly number[];
}

export interface SnapshotNeeds extends FreezeNeeds {
  readonly output: Writable;
  readonly onPercent: (percent: number) => void;
  readonly kernel?: KernelFiles;
}

/**
 * Writes a whole file system to `output`, as it is at one moment: it is frozen while it is read (client contract 4.2). Its writers wait
 * meanwhile, and go on at the end, also when this process is killed, or when nobody takes the output for 30 s.
 *
 * Throws `ClientError` `noSnapshot`; what was written until then is no snapshot.
 */
export async function dumpSnapshot(
  options: SnapshotOptions,
  needs: SnapshotNeeds,
  signal: AbortSignal,
): Promise<{ readonly sizeBytes: number }> {
  const fileSystem = await fileSystemOf(options.source, needs.kernel);
  await refuseOwnGround(fileSystem, options);
  const { writableAt } = fileSystem;
  const frozen = writableAt === undefined ? undefined : await freeze(writableAt, needs, signal);
  try {
    await copy(fileSystem, options.compression, frozen, needs, signal);
  } finally {
    await frozen?.thaw();
  }
  return { sizeBytes: fileSystem.sizeBytes };
}

async function refuseOwnGround(
  { deviceNumber, device, writableAt }: FileSystem,
  { mustNotBeFrozen, writesTo }: SnapshotOptions,
): Promise<void> {
  if (writableAt === undefined) return;
  for (const path of mustNotBeFrozen) {
    if ((await stat(path).catch(() => undefined))?.dev !== deviceNumber) continue;
    throw new ClientError(
      'noSnapshot',
      `Cannot freeze ${device}: ${path} is on it, and the client must be able to write there. Keep it on a partition of its own.`,
    );
  }
  if (writesTo.includes(deviceNumber)) {
    throw new ClientError(
      'noSnapshot',
      `Cannot write a snapshot of ${device} into a file on it: it is frozen meanwhile. Send it elsewhere.`,
    );
  }
}

const pieceBytes = 1024 * 1024;
const betweenBeatsMs = 1000;

async function copy(
  { device, sizeBytes }: FileSystem,
  compression: SnapshotCompression,
  frozen: Frozen | undefined,
  { output, onPercent }: SnapshotNeeds,
  signal: AbortSignal,
): Promise<void> {
  async function* pieces(): AsyncGenerator<Buffer> {
    let lastBeat = 0;
    let percent = -1;
    let position = 0;
    // Asked for the next one only when somebody takes it: then the work goes on.
    for await (const piece of read(device, sizeBytes)) {
      if (Date.now() - lastBeat >= betweenBeatsMs) {
        frozen?.beat();
        lastBeat = Date.now();
      }
      yield piece;
      position += piece.length;
      const now = Math.floor((100 * position) / sizeBytes);
      if (now > percent) onPercent((percent = now));
    }
  }
  const stop = frozen === undefined ? signal : AbortSignal.any([signal, frozen.thawed]);
  const options = { signal: stop, end: false };
  try {
    if (compression === 'gzip') await pipeline(pieces, createGzip(), output, options);
    else await pipeline(pieces, output, options);
  } catch (error) {
    throw stop.aborted ? stop.reason : error;
  }
}

/**
 * Pieces of the medium itself: the kernel's memory of a block device does not follow what goes through the file system on it. O_DIRECT
 * wants memory aligned to the device's block, which WebAssembly's is.
 */
async function* read(device: string, sizeBytes: number): AsyncGenerator<Buffer> {
  const file = await open(device, constants.O_RDONLY | constants.O_DIRECT);
  try {
    const wasmPageBytes = 65_536;
    const piece = Buffer.from(new WebAssembly.Memory({ initial: pieceBytes / wasmPageBytes }).buffer);
    for (let position = 0; position < sizeBytes;) {
      const { bytesRead } = await file.read(piece, 0, piece.length, position);
      if (bytesRead === 0)
        throw new ClientError('noSnapshot', `${device} ends after ${position} of ${sizeBytes} bytes.`);
      // A copy, since whoever takes it may do so later, and the next piece goes to the same place.
      yield Buffer.from(piece.subarray(0, Math.min(bytesRead, sizeBytes - position)));
      position += bytesRead;
    }
  } finally {
    await file.close();
  }
}
