import { open } from 'node:fs/promises';
import { BootEnvironmentError } from './errors.ts';
import { largestGrubBlockBytes } from './grub-block.ts';

/** The files of a GRUB environment. */
export interface GrubFiles {
  /** The whole file; undefined when it is not there, cannot be read, or is larger than any environment. */
  read(path: string): Promise<Buffer | undefined>;
  /** Writes over the beginning of the file, making it if it is not there. Durable when resolved. */
  overwrite(path: string, bytes: Uint8Array): Promise<void>;
}

/**
 * Files are written in place: on FAT a new file under an old name is no safer, and GRUB itself can do nothing else. What makes
 * them safe is the order of writes in `grub-environment.ts`.
 */
export const grubFiles: GrubFiles = {
  async read(path) {
    try {
      const file = await open(path, 'r');
      try {
        const { size } = await file.stat();
        return size > largestGrubBlockBytes ? undefined : await file.readFile();
      } finally {
        await file.close();
      }
    } catch {
      return undefined;
    }
  },
  async overwrite(path, bytes) {
    try {
      const file = await open(path, 'r+').catch(() => open(path, 'wx'));
      try {
        let written = 0;
        while (written < bytes.length) {
          written += (await file.write(bytes, written, bytes.length - written, written)).bytesWritten;
        }
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new BootEnvironmentError('io', `Cannot write the boot environment at ${path}: ${reason}.`, error);
    }
  },
};
