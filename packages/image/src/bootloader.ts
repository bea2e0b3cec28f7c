import type { Board } from './board.ts';
import type { ImageFile, RawWrite } from './image-file.ts';
import type { Partitions } from './partitions.ts';
import type { RootTree } from './root-tree.ts';
import type { RunProgram } from './run-program.ts';

/**
 * What the builder asks of a bootloader. A value per board, made by a function of `bootloaders.ts` from the board's
 * `bootloaderSettings`. All are asked before anything is written to where the user wanted it.
 */
export interface Bootloader {
  /** Programs of this machine it needs, by the Debian package that brings them; missing ones are told before the work begins. */
  readonly programs: Readonly<Record<string, string>>;
  /** Room it wants before the first partition, whose beginning is never less than this. */
  readonly reservedBytes: number;
  /** Keys of mender.conf in the root file system that it depends on. */
  readonly clientConfiguration?: Readonly<Record<string, unknown>>;
  /** What keeps it from starting this root file system, in sentences that say what to do; empty when all is well. */
  readonly problems: (context: BootContext) => Promise<readonly string[]>;
  /** Files of the boot partition. */
  readonly bootFiles: (context: BootContext) => Promise<readonly ImageFile[]>;
  /** Files of the root file system; they are in every artifact too. */
  readonly rootFiles: (context: BootContext) => Promise<readonly ImageFile[]>;
  readonly rawWrites: (context: BootContext) => Promise<readonly RawWrite[]>;
  /** Files that go beside the image, for a board whose bootloader lies elsewhere, as in flash; their paths are plain names. */
  readonly filesBeside: (context: BootContext) => Promise<readonly ImageFile[]>;
}

/** What a bootloader knows of the image. No sizes: they follow from the files it gives. */
export interface BootContext {
  readonly board: Board;
  readonly partitions: Partitions;
  /** Of the root file system, with the packages installed. */
  readonly root: RootTree;
  /** The board's, without `root=`. */
  readonly kernelArguments: string;
  /** Empty, its own, and removed at the end. */
  readonly workDirectory: string;
  readonly run: RunProgram;
  /** Time for what has one: seconds since 1970. */
  readonly sourceDate: number;
  readonly signal: AbortSignal;
}
