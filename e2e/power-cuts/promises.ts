import type { Boot } from './boot-programs.ts';
import type { DataFacts } from './data-facts.ts';
import { isAtLeast, type Decided, type Owed } from './milestones.ts';
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
  /** What the device had to have on its disk by then. */
  readonly owed: Owed;
  readonly oldRootIsWhole: boolean;
  readonly newRootIsWhole: boolean;
}

/** Records from which on the bootloader may keep the new software: the commit is under way, or was done and cleaned up. */
const committing: readonly (string | undefined)[] = ['update-commit', 'update-after-commit', 'cleanup'];

const { rootA: old, rootB: fresh } = partitionNumbers;

const isTrial = (boot: Boot) => boot.partition === fresh && boot.trial;
const isOld = (boot: Boot) => boot.partition === old && !boot.trial;
const isNew = (boot: Boot) => boot.partition === fresh && !boot.trial;

const does = {
  'the old': isOld,
  'a trial': isTrial,
  'a trial, or the old': (boot) => isTrial(boot) || isOld(boot),
  'the new': isNew,
} as const satisfies Record<Decided, (boot: Boot) => boolean>;

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
    boot.trial &&
    data.fileSystemFault === undefined &&
    !isAtLeast(data.records?.state?.Name, 'update-install')
      ? `a trial is under way, and the record is ${data.records?.state?.Name ?? 'none'}`
      : undefined,

  'what the device has begun is on record': ({ data, owed: { record: least } }) => {
    if (data.fileSystemFault !== undefined || least === undefined) return undefined;
    const name = data.records?.state?.Name;
    if (least === 'none, it is over') return name === undefined ? undefined : `the record is still ${name}`;
    const isThere = isAtLeast(name, least) || (name === undefined && least === 'cleanup');
    return isThere ? undefined : `the record is ${name ?? 'none'}, and ${least} was saved`;
  },

  'what is decided is what the bootloader does': ({ boot, owed: { decided } }) =>
    boot.partition === undefined || decided === undefined || does[decided](boot)
      ? undefined
      : `${decided} was decided, and it starts partition ${boot.partition} (trial: ${boot.trial})`,

  'the last record names what the bootloader keeps': ({ boot, data }) => {
    const { state, 'artifact-name': name } = data.records ?? {};
    if (name === undefined || !['cleanup', undefined].includes(state?.Name) || boot.partition === undefined)
      return undefined;
    return name === (isNew(boot) ? 'version-2' : 'version-1')
      ? undefined
      : `it says that it runs ${name}, and partition ${boot.partition} is kept (trial: ${boot.trial})`;
  },

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
