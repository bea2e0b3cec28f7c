import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { createUBootTwoCopies, uBootTwoCopies } from '@tandem/boot-environment';
import { buildBundle } from '../../packages/client/build-bundle.ts';
import { forgetCache, openBlockDevices } from './block-devices.ts';
import { buildMutant } from './build-mutant.ts';
import { copyBytes, copyPair, decided, settled } from './copy-pair.ts';
import { everyCut, seededRandom, type CutLimits } from './cuts.ts';
import type { Mutant } from './mutants.ts';
import { replayOf } from './replay.ts';
import { recordingMedium, sectorBytes, type LogEntry } from './write-log.ts';

const run = promisify(execFile);
const place = { at: 0, sizeBytes: 4 * copyBytes } as const;

/** All subsets: no more sectors change. A sector is not torn. */
const limits: CutLimits = {
  exhaustiveWrites: 7,
  sampledSubsets: 1,
  exhaustiveSectors: 1,
  sampledTears: 0,
  images: [],
  random: seededRandom(1),
};

export interface TwoCopiesProof {
  readonly states: number;
  readonly distinct: number;
  /** The first state that breaks a promise, if one does. */
  readonly violation: string | undefined;
}

/**
 * The environment of a U-Boot that has neither redundancy nor a boot counter: two plain copies on a block device, in which the boot flag
 * is turned, each write and flush recorded. After every cut the client's own reader must find what stood there or what was decided, the
 * latter once the write has come back, and must be able to write again. The U-Boot that reads such copies is not run here.
 */
export async function proveTwoCopies(work: string, mutant?: Mutant): Promise<TwoCopiesProof> {
  await mkdir(work, { recursive: true });
  const file = join(work, 'copies');
  try {
    await createUBootTwoCopies(copyPair(file), settled);
    const initial = Buffer.alloc(place.sizeBytes);
    (await readFile(file)).copy(initial);
    const entries = bySector(initial, await recordWrite(Buffer.from(initial), work, mutant));

    const replay = replayOf(initial, [place]);
    const seen = new Set<string>();
    let states = 0;
    const cuts = everyCut(replay, entries, limits);
    for (const { kind, entry } of cuts) {
      states += 1;
      const isWritten = entries[entry]?.kind === 'mark';
      const name = [replay.key(place), isWritten].join();
      if (seen.has(name)) continue;
      seen.add(name);
      await writeFile(file, replay.disk);
      const fault = await faultOf(file, isWritten);
      if (fault !== undefined)
        return { states, distinct: seen.size, violation: `${fault} (${kind}, at entry ${entry})` };
    }
    return { states, distinct: seen.size, violation: undefined };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Each sector that changes as a write of its own: there or not, whatever becomes of those beside it and of those of the other copy. */
function bySector(initial: Buffer, entries: readonly LogEntry[]): LogEntry[] {
  const disk = Buffer.from(initial);
  return entries.flatMap((entry): LogEntry[] => {
    if (entry.kind !== 'write') return [entry];
    const changed: LogEntry[] = [];
    for (let from = 0; from < entry.bytes.length; from += sectorBytes) {
      const at = entry.at + from;
      const bytes = entry.bytes.subarray(from, from + sectorBytes);
      if (bytes.equals(disk.subarray(at, at + sectorBytes))) continue;
      bytes.copy(disk, at);
      changed.push({ kind: 'write', at, bytes });
    }
    return changed;
  });
}

async function recordWrite(disk: Buffer, work: string, mutant: Mutant | undefined): Promise<LogEntry[]> {
  const program = join(work, 'write.mjs');
  const entry = join(import.meta.dirname, 'write-two-copies.ts');
  await (mutant === undefined ? buildBundle(program, [], entry) : buildMutant(mutant, program, entry));
  const entries: LogEntry[] = [];
  const devices = await openBlockDevices(join(work, 'devices'), {
    copies: recordingMedium(disk, place, entries),
  });
  try {
    const path = devices.paths['copies'] ?? '';
    await forgetCache(path);
    entries.splice(0);
    await run(process.execPath, [program, path]);
    entries.push({ kind: 'mark', text: 'written' });
    return entries.slice();
  } finally {
    await devices.close();
  }
}

async function faultOf(file: string, isWritten: boolean): Promise<string | undefined> {
  const environment = () => uBootTwoCopies(copyPair(file));
  try {
    const found = Object.fromEntries(await environment().read());
    if (!isDeepStrictEqual(found, decided) && (isWritten || !isDeepStrictEqual(found, settled)))
      return `the environment is ${JSON.stringify(found)}`;
    await environment().write(decided);
    return isDeepStrictEqual(Object.fromEntries(await environment().read()), decided)
      ? undefined
      : 'what is written next is not there';
  } catch (error) {
    return String(error);
  }
}
