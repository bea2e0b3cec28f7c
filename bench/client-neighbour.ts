import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fdatasyncSync, openSync, statSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { benchOptions, median, runBench } from './artifact-measure.ts';
import { makeClientDevice, type Command } from './client-device.ts';

/**
 * What the other programs of a device feel while an update is installed. One neighbour on each core computes for 5 ms in every 25, one
 * writes 4 KiB and flushes them 20 times a second to the medium the update goes to. How long each piece of work takes is noted, idle and
 * during installs in turns, by our client at the priorities of its unit, and by Debian's mender-client as its unit starts it. As root:
 *
 *     node bench/client-neighbour.ts [--rounds 3] [--write]
 */

/** The work of a neighbour; each piece's milliseconds go to the standard output, one a line. */
const neighbours = {
  compute: async () => {
    for (;;) {
      const begun = performance.now();
      // As much on every machine and in every state: time is what is measured.
      for (let step = 0, sum = 1; step < 1_500_000; step += 1) sum = (sum * 1_103_515_245 + step) | 0;
      process.stdout.write(`${String(performance.now() - begun)}\n`);
      await wait(20);
    }
  },
  flush: async (path: string) => {
    const file = openSync(path, 'w');
    const block = Buffer.alloc(4096, 'neighbour');
    for (let at = 0; ; at += 1) {
      const begun = performance.now();
      writeSync(file, block, 0, block.length, (at % 256) * block.length);
      fdatasyncSync(file);
      process.stdout.write(`${String(performance.now() - begun)}\n`);
      await wait(50);
    }
  },
} as const;
type Kind = keyof typeof neighbours;
const kinds = Object.keys(neighbours) as readonly Kind[];

/** packaging/client/mender-updated.service; Debian's mender-client.service says nothing of priorities. */
const asOurUnit = ['nice', '-n', '10', 'ionice', '-c', '2', '-n', '7'] as const;

async function bench(): Promise<void> {
  const { values } = parseArgs({ options: benchOptions });
  const rounds = Number(values.rounds);
  const note =
    `${values.rounds} rounds, idle and installing in turns. Milliseconds of a neighbour's piece of work, median and 95th percentile of all ` +
    'pieces; the ratios are to the idle seconds of the same round, medians of the rounds. Ours at Nice=10 and the lowest best-effort I/O ' +
    'priority, as its unit has it. "Limited": PayloadKiBPerSecond 20480.';
  await runBench({ name: 'client-neighbour', note, values }, async (image, directory) => {
    const device = makeClientDevice(directory, statSync(image).size);
    const artifact = device.artifactOf(image, 'gzip');
    const phases = {
      idle: () => wait(idleSeconds * 1000),
      ours: () => run([...asOurUnit, ...device.ours('usual', ['install', artifact])]),
      'ours, limited': () => run([...asOurUnit, ...device.ours('limited', ['install', artifact])]),
      'mender 3.4': () => run(device.mender(['install', artifact])),
    } as const;
    const names = Object.keys(phases) as readonly (keyof typeof phases)[];
    const felt: Felt[] = [];
    try {
      for (let round = 0; round < rounds; round += 1) {
        for (const phase of names) {
          await device.reset();
          for (const [kind, milliseconds] of await feltDuring(phases[phase], directory)) {
            felt.push({ round, phase, kind, milliseconds });
            const cells = [centile(milliseconds, 50), centile(milliseconds, 95)];
            process.stdout.write(
              `${round + 1}  ${phase.padEnd(14)} ${kind.padEnd(8)} ${cells.map((ms) => ms.toFixed(2)).join('  ')}\n`,
            );
          }
        }
      }
    } finally {
      device.close();
    }
    const of = (phase: string, kind: Kind, round?: number) =>
      felt
        .filter((row) => row.phase === phase && row.kind === kind && row.round === (round ?? row.round))
        .flatMap((row) => row.milliseconds);
    const ratio = (phase: string, kind: Kind, percent: number) =>
      median(
        Array.from(
          { length: rounds },
          (_, round) => centile(of(phase, kind, round), percent) / centile(of('idle', kind, round), percent),
        ),
      ).toFixed(2);
    return [
      ['', ...kinds.flatMap((kind) => [`${kind} p50`, 'to idle', `${kind} p95`, 'to idle'])],
      ...names.map((phase) => [
        phase,
        ...kinds.flatMap((kind) =>
          [50, 95].flatMap((percent) => [
            centile(of(phase, kind), percent).toFixed(2),
            phase === 'idle' ? '' : ratio(phase, kind, percent),
          ]),
        ),
      ]),
    ];
  });
}

const idleSeconds = 10;

interface Felt {
  readonly round: number;
  readonly phase: string;
  readonly kind: Kind;
  readonly milliseconds: readonly number[];
}

/** What the neighbours' pieces of work took while something else went on. */
async function feltDuring(
  work: () => Promise<unknown>,
  directory: string,
): Promise<ReadonlyMap<Kind, readonly number[]>> {
  const found = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
  let counts = false;
  const start = (kind: Kind, ...words: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [import.meta.filename, '--neighbour', kind, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.stdout !== null)
      createInterface(child.stdout).on('line', (line) => counts && found.get(kind)?.push(Number(line)));
    return child;
  };
  const children = [
    ...Array.from({ length: availableParallelism() }, () => start('compute')),
    start('flush', join(directory, 'neighbour')),
  ];
  try {
    // Started and compiled first.
    await wait(1500);
    counts = true;
    await work();
    counts = false;
    return found;
  } finally {
    for (const child of children) {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    }
  }
}

async function run([program, ...args]: Command): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (text: Buffer) => (complaints = (complaints + text.toString()).slice(-2000)));
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  if (exitCode !== 0) throw new Error(`${program} ended with ${String(exitCode)}: ${complaints}`);
}

function centile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length * percent) / 100)] ?? Number.NaN;
}

const [, , first, kind, path] = process.argv;
if (first !== '--neighbour') await bench();
else if (kind === 'compute') await neighbours.compute();
else await neighbours.flush(path ?? '/dev/null');
