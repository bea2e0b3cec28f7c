import { constants } from 'node:fs';
import type { OpenedFile, OpenFile } from './open-in-time.ts';

/** Node has it; the types of Node leave it to those of browsers. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

/** What goes past the cache at a time; a multiple of the block of every device, and of WebAssembly's page. */
export const directBytes = 1024 * 1024;

const accesses = {
  r: constants.O_RDONLY,
  'r+': constants.O_RDWR,
} as const;

/**
 * Opens a file or device of which whole pieces, `directBytes` in one of `alignedBuffers` at a multiple of that, are read and written past the
 * kernel's cache (O_DIRECT): they are what the medium holds, an image does not push the programs of the device out of memory, and it
 * is not copied once more, which was half of the processor time of writing it. Whatever else is read and written goes the usual way, and
 * so does all of it once O_DIRECT is refused (tmpfs, some overlays), which `refused` is told once.
 */
export async function openPastCache(
  path: string,
  access: keyof typeof accesses,
  open: OpenFile,
  refused: () => void = () => undefined,
): Promise<OpenedFile> {
  let isRefused = false;
  const unlessRefused = (error: unknown): undefined => {
    if (!isRefusal(error)) throw error;
    if (!isRefused) refused();
    isRefused = true;
  };
  const usual = await open(path, accesses[access]);
  const direct = await open(path, accesses[access] | constants.O_DIRECT)
    .catch(unlessRefused)
    .catch(async (error: unknown) => {
      await usual.close();
      throw error;
    });
  if (direct === undefined) return usual;
  // Not only the opening is refused where O_DIRECT is not known: on some file systems only the first call is.
  const called = async <T>(
    length: number,
    position: number,
    call: (file: OpenedFile) => Promise<T>,
  ): Promise<T> => {
    const isWhole = length === directBytes && position % directBytes === 0;
    const done = isWhole && !isRefused ? await call(direct).catch(unlessRefused) : undefined;
    return done ?? (await call(usual));
  };
  return {
    read: (buffer, offset, length, position) =>
      called(length, position, (file) => file.read(buffer, offset, length, position)),
    write: (buffer, offset, length, position) =>
      called(length, position, (file) => file.write(buffer, offset, length, position)),
    // What is flushed is the file, by whichever way it was written.
    datasync: () => usual.datasync(),
    sync: () => usual.sync(),
    close: async () => {
      try {
        await direct.close();
      } finally {
        await usual.close();
      }
    },
  };
}

/** Buffers of `directBytes`, such as O_DIRECT takes them: aligned to the device's block. */
export function alignedBuffers(count: number): readonly Buffer[] {
  const memory = alignedMemory(count * directBytes);
  return Array.from({ length: count }, (_, index) => Buffer.from(memory, index * directBytes, directBytes));
}

/** Of what Node has, only WebAssembly's memory is aligned. */
function alignedMemory(bytes: number): ArrayBuffer {
  const wasmPageBytes = 65_536;
  try {
    return new WebAssembly.Memory({ initial: bytes / wasmPageBytes }).buffer;
  } catch {
    // There is none where no code may be made at run time (--jitless), or where address space is short. O_DIRECT is then refused.
    return new ArrayBuffer(bytes);
  }
}

function isRefusal(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EINVAL' || code === 'ENOTSUP';
}
