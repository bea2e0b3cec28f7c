import { execFile } from 'node:child_process';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RunBootloader } from './boot-programs.ts';
import { everyCut, seededRandom, type CutKind, type CutLimits } from './cuts.ts';
import { openDataReader, type DataFacts } from './data-facts.ts';
import { owedAfter } from './milestones.ts';
import { promises, type FoundState, type PromiseName } from './promises.ts';
import type { RecordedUpdate } from './record-update.ts';
import { recover } from './recover.ts';
import { replayOf } from './replay.ts';
import { parts, partitionNumbers, type BoardKind, type Story } from './small-disk.ts';
import { writeSparse } from './sparse-file.ts';

const run = promisify(execFile);

export interface ProofOptions {
  readonly kind: BoardKind;
  readonly story: Story;
  readonly work: string;
  readonly program: string;
  readonly boot: RunBootloader;
  readonly newImage: Buffer;
  readonly limits: Omit<CutLimits, 'images' | 'random'>;
  readonly seed: number;
  /** Of the states that differ in what the client finds, so many are gone on with; all when not given. */
  readonly mostRecoveries?: number;
  /** Of the other states, so many of a thousand are gone on with besides. */
  readonly furtherPerMille?: number;
  readonly recoveriesAtOnce?: number;
  /** Ends at the first violation: for mutants. */
  readonly stopAtFirst?: boolean;
  readonly told?: (line: string) => void;
}

export interface Violation {
  readonly promise: PromiseName;
  readonly what: string;
  /** The cut that shows it first, and how many show it. */
  readonly cut: string;
  readonly times: number;
}

export interface Proof {
  /** States looked at, by what cut them; several may be the same disk. */
  readonly states: Readonly<Record<CutKind, number>>;
  /** Disks that differ in any byte that counts. */
  readonly distinct: number;
  readonly bootloaderRuns: number;
  readonly fileSystemChecks: number;
  /** States that were gone on with, and how often the kernel was booted for them. */
  readonly recoveries: number;
  readonly kernelBoots: number;
  /** Situations of the client that were not gone on with, for want of time. */
  readonly recoveriesLeftOut: number;
  readonly violations: readonly Violation[];
}

type BootFacts = Pick<FoundState, 'boot' | 'bootAgain' | 'bootOnceMore' | 'bootFileSystemFault'>;

/** Looks at what every power cut in a recorded update would leave, as the real bootloader, kernel and client see it. */
export async function prove(recorded: RecordedUpdate, options: ProofOptions): Promise<Proof> {
  const { kind, story, work, boot, newImage, limits, seed, told = () => undefined } = options;
  await mkdir(join(work, 'states'), { recursive: true });
  const random = seededRandom(seed);
  const replay = replayOf(recorded.initial, Object.values(parts));
  const oldRoot = replay.key(parts.rootA);
  const newRoot = keyOfRange(newImage, recorded.initial);
  const states: Record<CutKind, number> = {
    'at a mark': 0,
    'after each request': 0,
    'writes lost': 0,
    'writes lost (sampled)': 0,
    'a write torn': 0,
    'a write torn (sampled)': 0,
  };
  const violations = new Map<string, Violation>();
  const violate = (promise: PromiseName, what: string, cut: string) => {
    const known = violations.get(promise);
    violations.set(promise, {
      promise,
      what: known?.what ?? what,
      cut: known?.cut ?? cut,
      times: (known?.times ?? 0) + 1,
    });
  };
  const owedAt = owedAfter(recorded.entries);
  const disks = new Set<string>();
  /** The same disk is judged once for each thing that may be owed of it. */
  const judged = new Set<string>();
  const boots = new Map<string, BootFacts>();
  const datas = new Map<bigint, DataFacts>();
  const situations = new Map<
    string,
    { readonly file: string; readonly cut: string; readonly told: string | undefined }
  >();
  let bootloaderRuns = 0;

  const reader = openDataReader(work);
  const disk = await bootDisk(kind, work, recorded.initial, newImage);
  const bootParts = kind === 'grub' ? [parts.boot] : [parts.boot, parts.environment];
  const bootFacts = async (): Promise<BootFacts> => {
    for (const { at, sizeBytes } of bootParts) await disk.put(at, replay.disk.subarray(at, at + sizeBytes));
    const start = async () => {
      bootloaderRuns += 1;
      return await boot(disk.path);
    };
    const first = await start();
    return {
      boot: first,
      bootAgain: await start(),
      bootOnceMore: first.trial ? await start() : undefined,
      bootFileSystemFault: await faultOfBootPartition(work, replay.disk),
    };
  };

  const { end } = recorded;
  const { partition, status } = endOf[story];
  const ended = end.partition === partition && !end.trial && end.statuses.at(-1) === status;
  if (!ended) violate('an update that nothing disturbs ends as it should', JSON.stringify(end), 'no cut');

  const cuts = everyCut(replay, recorded.entries, { ...limits, images: [parts.rootA, parts.rootB], random });
  for (const { kind: cutKind, entry } of cuts) {
    if (options.stopAtFirst === true && violations.size > 0) break;
    states[cutKind] += 1;
    const keys = {
      boot: bootParts.map((part) => replay.key(part)).join(),
      data: replay.key(parts.data),
      b: replay.key(parts.rootB),
    };
    const oldRootIsWhole = replay.key(parts.rootA) === oldRoot;
    const newRootIsWhole = keys.b === newRoot;
    const name = [keys.boot, keys.data, oldRootIsWhole, newRootIsWhole].join();
    disks.add(name);
    const owed = owedAt[entry] ?? {};
    const question = [name, owed.record, owed.decided].join();
    if (judged.has(question)) continue;
    judged.add(question);
    if (judged.size % 500 === 0)
      told(
        `${disks.size} disks, entry ${entry} of ${recorded.entries.length}, ${situations.size} situations`,
      );
    let booting = boots.get(keys.boot);
    if (booting === undefined) boots.set(keys.boot, (booting = await bootFacts()));
    let data = datas.get(keys.data);
    if (data === undefined) {
      data = await reader.read(replay.disk.subarray(parts.data.at, parts.data.at + parts.data.sizeBytes));
      datas.set(keys.data, data);
    }
    const cut = `${cutKind}, at entry ${entry} (${whereIs(recorded, entry)})`;
    const found = { ...booting, data, owed, oldRootIsWhole, newRootIsWhole };
    for (const promise of Object.keys(promises) as (keyof typeof promises)[]) {
      const fault = promises[promise](found);
      if (fault !== undefined) violate(promise, fault, cut);
    }
    if (data.fileSystemFault !== undefined) continue;
    // What bootloader and client will do follows from these alone.
    const over = toldBefore(recorded, entry);
    const situation = [
      booting.boot.partition,
      booting.boot.trial,
      environmentText(booting),
      data.tree,
      newRootIsWhole,
      over,
    ].join();
    const isFurther = situations.has(situation);
    if (isFurther && random() >= (options.furtherPerMille ?? 0) / 1000) continue;
    const file = join(work, 'states', String(situations.size));
    await writeSparse(file, replay.disk);
    situations.set(isFurther ? name : situation, { file, cut, told: over });
  }
  reader.close();

  const all = [...situations.values()];
  const chosen = options.mostRecoveries === undefined ? all : sample(all, options.mostRecoveries, random);
  let recoveries = 0;
  let kernelBoots = 0;
  // What breaks late is seen by nothing but this, so a mutant's last states come first.
  const queue = (options.stopAtFirst === true ? chosen.toReversed() : chosen).values();
  const worker = async (number: number) => {
    for (const { file, cut, told: over } of queue) {
      if (options.stopAtFirst === true && violations.size > 0) return;
      const recovery = await recover(await readFile(file), {
        ...options,
        work: join(work, `recovery-${number}`),
        artifact: recorded.artifact,
        told: over,
      });
      recoveries += 1;
      kernelBoots += recovery.boots;
      if (recoveries % 20 === 0) told(`${recoveries} of ${chosen.length} situations gone on with`);
      if (recovery.fault !== undefined) violate('what it goes on with ends well', recovery.fault, cut);
    }
  };
  await Promise.all(Array.from({ length: options.recoveriesAtOnce ?? 2 }, (_, number) => worker(number)));
  await rm(join(work, 'states'), { recursive: true });
  return {
    states,
    distinct: disks.size,
    bootloaderRuns,
    fileSystemChecks: datas.size + boots.size,
    recoveries,
    kernelBoots,
    recoveriesLeftOut: all.length - recoveries,
    violations: [...violations.values()],
  };
}

/** The key the second root has when it holds this image. */
function keyOfRange(image: Buffer, initial: Buffer): bigint {
  const whole = Buffer.from(initial);
  const replay = replayOf(whole, [parts.rootB]);
  replay.apply({ kind: 'write', at: parts.rootB.at, bytes: image });
  return replay.key(parts.rootB);
}

/** How an update ends that nothing disturbs. */
const endOf = {
  commit: { partition: partitionNumbers.rootB, status: 'success' },
  rollback: { partition: partitionNumbers.rootA, status: 'failure' },
} as const satisfies Record<Story, unknown>;

/** What the bootloader has said of the environment, without what differs from run to run. */
const environmentText = ({ boot, bootAgain }: BootFacts): string =>
  `${boot.said}${bootAgain.said}`.replaceAll(/^U-Boot .*$/gm, '');

/** How the deployment ended, if the server had been told by then. */
function toldBefore({ entries }: RecordedUpdate, entry: number): string | undefined {
  for (const one of entries.slice(0, entry + 1).reverse()) {
    const status = one.kind === 'mark' ? /^status (success|failure)$/.exec(one.text)?.[1] : undefined;
    if (status !== undefined) return status;
  }
  return undefined;
}

function whereIs({ entries }: RecordedUpdate, entry: number): string {
  const mark = entries.slice(0, entry + 1).findLast((one) => one.kind === 'mark');
  return mark?.kind === 'mark' ? `after "${mark.text}"` : 'before the first boot';
}

/** A disk image for the bootloader alone: both roots are whole, for what it reads of them. */
async function bootDisk(kind: BoardKind, work: string, initial: Buffer, newImage: Buffer) {
  const directory = join(work, 'bootloader');
  await mkdir(directory, { recursive: true });
  const path = join(directory, 'disk.img');
  const content = Buffer.from(initial);
  newImage.copy(content, parts.rootB.at);
  if (kind === 'grub') content.fill(0, parts.rootA.at);
  await writeSparse(path, content);
  return {
    path,
    put: async (at: number, bytes: Buffer) => {
      const file = await open(path, 'r+');
      await file.write(bytes, 0, bytes.length, at);
      await file.close();
    },
  };
}

/** All that a cut may leave there is the note that it was not unmounted, which fsck removes at the next boot. */
async function faultOfBootPartition(work: string, disk: Buffer): Promise<string | undefined> {
  const image = join(work, 'boot.img');
  await writeSparse(image, disk.subarray(parts.boot.at, parts.boot.at + parts.boot.sizeBytes));
  const check = async (mode: string) => {
    try {
      return { code: 0, said: (await run('fsck.vfat', [mode, image])).stdout };
    } catch (error) {
      return { code: Number((error as { code?: unknown }).code), said: (error as { stdout: string }).stdout };
    }
  };
  const first = await check('-a');
  const second = await check('-n');
  const found = first.said.split('\n').filter((line) => !notFaults.test(line));
  return found.length === 0 && first.code <= 1 && second.code === 0
    ? undefined
    : `boot partition: ${found.join(' ') || second.said}`;
}

const notFaults =
  /^$|^fsck\.fat |Dirty bit is set|properly unmounted|Automatically removing dirty bit|Performing changes|Filesystem was changed|writing changes|: \d+ files, /i;

/** So many of the list, drawn; the order stays. */
function sample<Item>(all: readonly Item[], count: number, random: () => number): readonly Item[] {
  let wanted = Math.min(count, all.length);
  return all.filter((_, index) => {
    const take = random() * (all.length - index) < wanted;
    if (take) wanted -= 1;
    return take;
  });
}
