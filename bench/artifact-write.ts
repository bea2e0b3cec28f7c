import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  benchOptions,
  costCells,
  measure,
  medianCost,
  ours,
  peer,
  runBench,
  type Cost,
} from './artifact-measure.ts';

/**
 * Writing an artifact of a 512 MiB root file system against Debian's mender-artifact 3.9, interleaved in one run.
 *
 *     node bench/artifact-write.ts [--rounds 3] [--lzma] [--image FILE] [--write]
 *
 * `--lzma` adds one round of lzma, which takes the peer minutes. Our zstd is compared with the peer's gzip, as it has none.
 */

const { values } = parseArgs({ options: { ...benchOptions, lzma: { type: 'boolean', default: false } } });

interface Candidate {
  readonly name: string;
  readonly program: string;
  readonly flags: readonly string[];
  readonly comparedWith?: string;
}

const gzip: readonly Candidate[] = [
  { name: '3.9 gzip', program: peer, flags: ['-t', 'd', '--compression', 'gzip'] },
  { name: 'ours gzip', program: ours, flags: ['-c', 'd', '--compression', 'gzip'], comparedWith: '3.9 gzip' },
  { name: 'ours zstd', program: ours, flags: ['-c', 'd', '--compression', 'zstd'], comparedWith: '3.9 gzip' },
  { name: '3.9 none', program: peer, flags: ['-t', 'd', '--compression', 'none'] },
  { name: 'ours none', program: ours, flags: ['-c', 'd', '--compression', 'none'], comparedWith: '3.9 none' },
];
const lzma: readonly Candidate[] = [
  { name: '3.9 lzma', program: peer, flags: ['-t', 'd', '--compression', 'lzma'] },
  { name: 'ours lzma', program: ours, flags: ['-c', 'd', '--compression', 'lzma'], comparedWith: '3.9 lzma' },
];

const note = `${values.rounds} interleaved rounds, medians${values.lzma ? ' (lzma: one)' : ''}; ratios are ours to the peer of the same compression, for zstd to its gzip.`;

await runBench({ name: 'artifact-write', note, values }, (image, directory) => {
  const out = join(directory, 'out.mender');
  const costs = new Map<string, { readonly all: Cost[]; readonly sizeMiB: number }>();
  const run = ({ name, program, flags }: Candidate) => {
    const what = ['write', 'rootfs-image', '-n', 'a', '-f', image];
    const cost = measure(program, [...what, ...flags, '--no-progress', '-o', out]);
    const entry = costs.get(name) ?? { all: [], sizeMiB: statSync(out).size / 2 ** 20 };
    entry.all.push(cost);
    costs.set(name, entry);
    rmSync(out);
  };
  for (let round = 0; round < Number(values.rounds); round += 1) gzip.forEach(run);
  if (values.lzma) lzma.forEach(run);

  const rows = [...gzip, ...(values.lzma ? lzma : [])].map(({ name, comparedWith = '' }) => {
    const { all, sizeMiB } = costs.get(name) ?? { all: [], sizeMiB: Number.NaN };
    const others = costs.get(comparedWith)?.all;
    const other = others === undefined ? undefined : medianCost(others);
    return [name, ...costCells(medianCost(all), other, sizeMiB.toFixed(1))];
  });
  return [['', 'wall s', 'cpu s', 'peak MiB', 'size MiB', 'wall ratio', 'cpu ratio'], ...rows];
});
