import { appendFile, open } from 'node:fs/promises';
import { codeOf } from '../client-error.ts';
import { storageCallLimitMs, withinTime } from '../system/within-time.ts';

/** A file of lines that whoever logs does not wait for: a medium that hangs must not hold up an update, nor its report. */
export interface LogFile {
  /** Goes into the file behind what came before. What the medium does not take, a full one, is left out. */
  append(line: string): void;
  /** What was appended survives a power cut. Throws `ClientError` `storageHangs`, and what the medium says. */
  sync(): Promise<void>;
  /** The newest of it, at most about `maxBytes`; of a medium that hangs, what it has not taken. */
  end(maxBytes: number): Promise<LogEnd>;
  /** The fault of a medium that hangs: nothing more is written to it. */
  readonly hanging: () => Error | undefined;
}

export interface LogEnd {
  readonly text: string;
  /** The text begins in the middle: what stands before its first line feed is a part of a line. */
  readonly isCut: boolean;
}

/** What is done to the file; tests hand in others. */
export interface LogStorage {
  append(path: string, text: string): Promise<void>;
  sync(path: string): Promise<void>;
  readEnd(path: string, maxBytes: number): Promise<LogEnd>;
}

/** Each call to the medium ends, after `limitMs` at the latest. */
export function openLogFile(
  path: string,
  storage: LogStorage = linuxLogStorage,
  limitMs = storageCallLimitMs,
): LogFile {
  let waiting = '';
  let writing: Promise<void> | undefined;
  let hanging: Error | undefined;

  const inTime = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    try {
      return await withinTime(call(), `${what} ${path}`, limitMs);
    } catch (error) {
      if (codeOf(error) === 'storageHangs' && error instanceof Error) hanging ??= error;
      throw error;
    }
  };
  const writeWaiting = async (): Promise<void> => {
    while (waiting !== '' && hanging === undefined) {
      const text = waiting;
      waiting = '';
      await inTime('Writing', () => storage.append(path, text)).catch(() => {
        // A full disk must not end the update; the system's log has the line.
        if (hanging !== undefined) waiting = newest(text + waiting);
      });
    }
    writing = undefined;
  };
  return {
    append: (line) => {
      waiting = newest(waiting + line);
      writing ??= writeWaiting();
    },
    sync: async () => {
      await writing;
      if (hanging !== undefined) throw hanging;
      await inTime('Flushing', () => storage.sync(path));
    },
    end: async (maxBytes) => {
      await writing;
      try {
        if (hanging === undefined) return await inTime('Reading', () => storage.readEnd(path, maxBytes));
      } catch (error) {
        if (hanging === undefined) throw error;
      }
      return { text: `\n${waiting}`, isCut: true };
    },
    hanging: () => hanging,
  };
}

/** What waits for a medium is held in memory. */
const maxWaitingCharacters = 256 * 1024;
const newest = (text: string): string => text.slice(-maxWaitingCharacters);

const linuxLogStorage: LogStorage = {
  append: async (path, text) => appendFile(path, text, { mode: 0o600 }),
  sync: async (path) => {
    const file = await open(path, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  },
  readEnd: async (path, maxBytes) => {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const from = Math.max(0, size - maxBytes);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      return { text: buffer.toString('utf8', 0, bytesRead), isCut: from > 0 };
    } finally {
      await file.close();
    }
  },
};
