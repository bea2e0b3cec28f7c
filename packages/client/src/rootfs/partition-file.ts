import { open, type FileHandle } from 'node:fs/promises';
import { codeOf } from '../client-error.ts';
import { storageCallLimitMs, withinTime } from '../system/within-time.ts';

/** What is done to a partition, as `node:fs` does it. */
export interface PartitionFile {
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  write(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  datasync(): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a device or plain file; `flags` as `node:fs` takes them. */
export type OpenPartition = (path: string, flags: 'r+' | number) => Promise<PartitionFile>;

const openFile: OpenPartition = async (path, flags): Promise<FileHandle> => open(path, flags);

/**
 * Opens partitions of which every call ends, with `ClientError` `storageHangs` after `limitMs` at the latest. A file that hangs is not
 * closed: that would wait for the call that hangs.
 */
export function openInTime(openPartition = openFile, limitMs = storageCallLimitMs): OpenPartition {
  return async (path, flags) => {
    const file = await withinTime(openPartition(path, flags), `Opening ${path}`, limitMs);
    let hangs = false;
    const inTime = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
      try {
        return await withinTime(call(), what, limitMs);
      } catch (error) {
        hangs ||= codeOf(error) === 'storageHangs';
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
        if (!hangs) await inTime(`Closing ${path}`, () => file.close());
      },
    };
  };
}
