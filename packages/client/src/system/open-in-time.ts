import { open, type FileHandle } from 'node:fs/promises';
import { codeOf } from '../client-error.ts';
import { storageCallLimitMs, withinTime } from './within-time.ts';

/** What is done to a partition, or to a file too large for memory, as `node:fs` does it. */
export interface OpenedFile {
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  datasync(): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a device or plain file; `flags` and `mode`, of a file that is made, as `node:fs` takes them. */
export type OpenFile = (path: string, flags: number, mode?: number) => Promise<OpenedFile>;

const openOnLinux: OpenFile = async (path, flags, mode): Promise<FileHandle> => open(path, flags, mode);

/**
 * Opens files of which every call ends, with `ClientError` `storageHangs` after `limitMs` at the latest. A file that hangs is not
 * closed, however often it is open: that would wait for the call that hangs.
 */
export function openInTime(openFile = openOnLinux, limitMs = storageCallLimitMs): OpenFile {
  const hanging = new Set<string>();
  return async (path, flags, mode) => {
    const file = await withinTime(openFile(path, flags, mode), `Opening ${path}`, limitMs);
    const inTime = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
      try {
        return await withinTime(call(), what, limitMs);
      } catch (error) {
        if (codeOf(error) === 'storageHangs') hanging.add(path);
        throw error;
      }
    };
    return {
      read: (buffer, offset, length, position) =>
        inTime(`Reading ${length} bytes of ${path} at ${position}`, () =>
          file.read(buffer, offset, length, position),
        ),
      write: (buffer, offset, length, position) =>
        inTime(`Writing ${length} bytes to ${path} at ${position}`, () =>
          file.write(buffer, offset, length, position),
        ),
      datasync: () => inTime(`Flushing ${path}`, () => file.datasync()),
      sync: () => inTime(`Flushing ${path}`, () => file.sync()),
      close: async () => {
        if (!hanging.has(path)) await inTime(`Closing ${path}`, () => file.close());
      },
    };
  };
}

/** Writes all of the bytes: a file may take fewer at a time. */
export async function writeAll(
  file: Pick<OpenedFile, 'write'>,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
