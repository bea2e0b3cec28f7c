import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  assertPeer,
  imageMiB,
  machine,
  makeImage,
  measure,
  medianCost,
  ours,
  peer,
  project,
  today,
  type Cost,
} from './artifact-measure.ts';

/**
 * Writing an artifact of a 512 MiB root file system against Debian's mender-artifact 3.9, interleaved in one run.
 *
 *     node bench/artifact-write.ts [--rounds 3] [--lzma] [--image FILE] [--write]
 *
 * `--lzma` adds one round of lzma, which takes the peer minutes. Our zstd is compared with the peer's gzip, as it has none.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    lzma: { type: 'boolean', default: false },
    image: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});

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

assertPeer();
const before = machine();
const directory = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'artifact-bench-'));
try {
  const image = values.image ?? join(directory, 'rootfs.ext4');
  if (values.image === undefined) makeImage(image, directory);
  const out = join(directory, 'out.mender');
  const costs = new Map<string, { readonly all: Cost[]; sizeMiB: number }>();
  const run = ({ name, program, flags }: Candidate) => {
    const cost = measure(program, [
      'write',
      'rootfs-image',
      '-n',
      'a',
      '-f',
      image,
      ...flags,
      '--no-progress',
      '-o',
      out,
    ]);
    const entry = costs.get(name) ?? { all: [], sizeMiB: statSync(out).size / 2 ** 20 };
    entry.all.push(cost);
    costs.set(name, entry);
    rmSync(out);
  };
  for (let round = 0; round < Number(values.rounds); round += 1) gzip.forEach(run);
  if (values.lzma) lzma.forEach(run);

  const rows = [...gzip, ...(values.lzma ? lzma : [])].map(({ name, comparedWith }) => {
    const { all, sizeMiB } = costs.get(name) ?? { all: [], sizeMiB: Number.NaN };
    const cost = medianCost(all);
    const other = comparedWith === undefined ? undefined : medianCost(costs.get(comparedWith)?.all ?? []);
    const ratio = (mine: number, theirs: number | undefined) =>
      theirs === undefined ? '' : (mine / theirs).toFixed(2);
    return `| ${name} | ${cost.wallSeconds.toFixed(2)} | ${cost.cpuSeconds.toFixed(2)} | ${Math.round(cost.peakMiB)} | ${sizeMiB.toFixed(1)} | ${ratio(cost.wallSeconds, other?.wallSeconds)} | ${ratio(cost.cpuSeconds, other?.cpuSeconds)} |`;
  });
  const table = [
    `# artifact-write, ${today()}`,
    '',
    `${imageMiB} MiB ext4 image of this machine's /usr; ${values.rounds} interleaved rounds, medians (lzma: one). ${before}.`,
    'Ratios are ours to the peer of the same compression, for zstd to its gzip.',
    '',
    '| | wall s | cpu s | peak MiB | size MiB | wall ratio | cpu ratio |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
  process.stdout.write(table);
  if (values.write) {
    mkdirSync(join(project, 'bench/results'), { recursive: true });
    writeFileSync(join(project, 'bench/results', `${today()}-artifact-write.md`), table);
  }
} finally {
  rmSync(directory, { recursive: true });
}
