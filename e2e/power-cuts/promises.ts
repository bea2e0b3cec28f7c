import type { Boot } from './boot-programs.ts';
import type { DataFacts } from './data-facts.ts';
import { partitionNumbers } from './small-disk.ts';

/** What is found on the disk after one power cut. */
export interface FoundState {
  /** The bootloader, at the first start after the cut. */
  readonly boot: Boot;
  /** The same, started once more with nothing done in between: a trial that never committed. */
  readonly bootAgain: Boot;
  /** And once more, where the first was a trial. */
  readonly bootOnceMore: Boot | undefined;
  readonly data: DataFacts;
  /** Of the boot partition's file system. */
  readonly bootFileSystemFault: string | undefined;
  readonly oldRootIsWhole: boolean;
  readonly newRootIsWhole: boolean;
}

/** Records from which on the bootloader may keep the new software: the commit is under way, or was done and cleaned up. */
const committing: readonly (string | undefined)[] = ['update-commit', 'update-after-commit', 'cleanup'];

const { rootA: old, rootB: fresh } = partitionNumbers;

/** What must hold after every power cut. Each gives what is wrong, or undefined. */
export const promises = {
  'the bootloader has an environment': ({ boot }) =>
    boot.partition === undefined ? `it starts nothing by it: ${boot.said.slice(-300)}` : undefined,

  'the bootloader starts what is whole': ({ boot, oldRootIsWhole, newRootIsWhole }) =>
    (boot.partition === old && !oldRootIsWhole) || (boot.partition === fresh && !newRootIsWhole)
      ? `partition ${boot.partition} is incomplete`
      : undefined,

  'new software is on trial until its commit': ({ boot, data }) => {
    if (data.fileSystemFault !== undefined) return undefined;
    const { state, 'artifact-name': name } = data.records ?? {};
    return boot.partition !== fresh || boot.trial || committing.includes(state?.Name) || name === 'version-2'
      ? undefined
      : `the record is ${state?.Name ?? 'none'}, and the bootloader keeps partition ${fresh}`;
  },

  'a trial that does not commit is the last': ({ boot, bootAgain }) => {
    if (boot.partition === undefined) return undefined;
    const expected = boot.trial ? old : boot.partition;
    return bootAgain.partition === expected && !bootAgain.trial
      ? undefined
      : `after partition ${boot.partition} (trial: ${boot.trial}) it starts ${bootAgain.partition} (trial: ${bootAgain.trial})`;
  },

  'what the bootloader goes back to, it goes back to once': ({ bootOnceMore }) =>
    bootOnceMore === undefined ||
    (bootOnceMore.partition === old && !/ROLLBACK|going back/.test(bootOnceMore.said))
      ? undefined
      : `it has not noted that it has gone back: ${bootOnceMore.said.slice(-300)}`,

  'the boot flag is turned only on record': ({ boot, data }) =>
    boot.trial && data.fileSystemFault === undefined && data.records?.state === undefined
      ? 'a trial is under way of which the store knows nothing'
      : undefined,

  'the file systems are sound': ({ data, bootFileSystemFault }) =>
    data.fileSystemFault ?? bootFileSystemFault,

  'the client can read its store': ({ data }) =>
    data.fileSystemFault === undefined && data.records === undefined
      ? 'the store is damaged or gone'
      : undefined,
} as const satisfies Record<string, (found: FoundState) => string | undefined>;

export type PromiseName =
  | keyof typeof promises
  | 'what it goes on with ends well'
  | 'an update that nothing disturbs ends as it should';
