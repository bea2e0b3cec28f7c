import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { project, writeResult } from './write-result.ts';

/* What the artifact benches share: the image, the peer, the clock, the table. */

const imageMiB = 512;
export const peer = '/usr/bin/mender-artifact';
/** Ours, as it is installed. */
export const ours = join(project, 'node_modules', '.bin', 'mender-artifact');

export interface Cost {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

/** Flags of all of them. */
export const benchOptions = {
  rounds: { type: 'string', default: '3' },
  image: { type: 'string' },
  write: { type: 'boolean', default: false },
} as const;

type Table = readonly (readonly string[])[];

interface Bench {
  readonly name: string;
  /** Below the title, behind what the image is. */
  readonly note: string;
  /** `--image` and `--write`. */
  readonly values: { readonly image?: string | undefined; readonly write: boolean };
}

/**
 * Runs a bench on an image in a directory of its own and prints its table; with `--write` into `bench/results`, too. What `table` answers is
 * rows of cells, the names of the columns first.
 */
export async function runBench(
  { name, note, values }: Bench,
  table: (image: string, directory: string) => Table | Promise<Table>,
): Promise<void> {
  assertPeer();
  const before = machine();
  const directory = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'artifact-bench-'));
  try {
    const image = values.image ?? join(directory, 'rootfs.ext4');
    if (values.image === undefined) makeImage(image, directory);
    const kind =
      values.image === undefined
        ? `${imageMiB} MiB ext4 image of this machine's /usr`
        : 'an image of the user';
    const [columns = '', ...rows] = (await table(image, directory)).map(
      (cells) => `| ${cells.join(' | ')} |`,
    );
    const rule = columns.replaceAll(/[^|]+/g, '---');
    writeResult(name, values.write, [`${kind}; ${note} ${before}.`, '', columns, rule, ...rows]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A program to be measured. */
export interface Candidate {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Name of the candidate that the ratios are to. */
  readonly comparedWith?: string;
}

/**
 * Runs the candidates in turns, for as many rounds, and answers a row of medians and ratios for each; `afterEach` looks at what one left behind
 * and clears it away.
 */
export function inTurns(
  candidates: readonly Candidate[],
  rounds: number,
  afterEach: (name: string) => void = () => undefined,
): readonly string[][] {
  const costs = new Map<string, Cost[]>(candidates.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, program, args } of candidates) {
      costs.get(name)?.push(measure(program, args));
      afterEach(name);
    }
  }
  return candidates.map(({ name, comparedWith }) => {
    const others = comparedWith === undefined ? undefined : costs.get(comparedWith);
    return [name, ...costCells(medianCost(costs.get(name) ?? []), others && medianCost(others))];
  });
}

/** Names of the cells of `inTurns`. */
export const costColumns = ['', 'wall s', 'cpu s', 'peak MiB', 'wall ratio', 'cpu ratio'] as const;

/** Cells of a cost: wall, CPU, peak, and the ratios to another. */
export function costCells(cost: Cost, other: Cost | undefined): string[] {
  const ratio = (mine: number, theirs: number | undefined) =>
    theirs === undefined ? '' : (mine / theirs).toFixed(2);
  return [
    cost.wallSeconds.toFixed(2),
    cost.cpuSeconds.toFixed(2),
    String(Math.round(cost.peakMiB)),
    ratio(cost.wallSeconds, other?.wallSeconds),
    ratio(cost.cpuSeconds, other?.cpuSeconds),
  ];
}

/** Ends with a clear word when the peer is not the one the figures are to be compared with. */
function assertPeer(): void {
  const version = existsSync(peer) ? execFileSync(peer, ['--version'], { encoding: 'utf8' }) : 'nothing';
  if (!version.includes('version 3.9.'))
    throw new Error(`needs Debian's mender-artifact 3.9 as ${peer}, found ${version}`);
}

/** Runs a program under GNU time, which counts children too; ours under this Node, as `npx` would. */
export function measure(program: string, args: readonly string[]): Cost {
  const format = ['-f', '%e %U %S %M'];
  const result = spawnSync('/usr/bin/time', [...format, program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` },
  });
  const said = result.stderr.trim().split('\n').at(-1) ?? '';
  const [wall, user, system, peakKiB] = said.split(' ').map(Number);
  if (
    result.status !== 0 ||
    wall === undefined ||
    user === undefined ||
    system === undefined ||
    peakKiB === undefined
  ) {
    throw new Error(`${program} ${args.join(' ')} ended with ${String(result.status)}: ${result.stderr}`);
  }
  return { wallSeconds: wall, cpuSeconds: user + system, peakMiB: peakKiB / 1024 };
}

/** A real file system with the machine's own programs, libraries and texts, about four fifths full. */
function makeImage(path: string, directory: string): void {
  const sources = [
    'usr/bin',
    'usr/sbin',
    'etc',
    'usr/lib/python3',
    'usr/share/perl',
    'usr/share/zoneinfo',
    'usr/lib/x86_64-linux-gnu',
    'usr/lib/git-core',
    'usr/lib/gcc',
    'usr/include',
    'usr/share/man',
    'usr/share/vim',
  ];
  const tree = join(directory, 'tree');
  mkdirSync(tree);
  for (const source of sources) {
    const files = execFileSync('find', [source, '-xdev', '-type', 'f', '-size', '-8192k', '-print0'], {
      cwd: '/',
      maxBuffer: 2 ** 28,
    });
    for (const names of chunks(
      files
        .toString()
        .split('\0')
        .filter((name) => name !== ''),
      200,
    )) {
      const used = Number(execFileSync('du', ['-sm', tree], { encoding: 'utf8' }).split('\t')[0]);
      if (used > imageMiB * 0.7) break;
      spawnSync('cp', ['-a', '--parents', ...names, tree], { cwd: '/' });
    }
  }
  writeFileSync(path, '');
  truncateSync(path, imageMiB * 2 ** 20);
  const environment = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  execFileSync('mkfs.ext4', ['-q', '-F', '-b', '4096', '-d', tree, path], { env: environment });
  rmSync(tree, { recursive: true });
}

function chunks<T>(list: readonly T[], length: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / length) }, (_, index) =>
    list.slice(index * length, (index + 1) * length),
  );
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

export function medianCost(costs: readonly Cost[]): Cost {
  return {
    wallSeconds: median(costs.map(({ wallSeconds }) => wallSeconds)),
    cpuSeconds: median(costs.map(({ cpuSeconds }) => cpuSeconds)),
    peakMiB: Math.max(...costs.map(({ peakMiB }) => peakMiB)),
  };
}

/** The machine, as far as it matters to the figures. */
export function machine(): string {
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0];
  return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${load} at the start, ${process.version}`;
}
