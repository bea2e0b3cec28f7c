import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  benchOptions,
  costColumns,
  inTurns,
  ours,
  peer,
  runBench,
  type Candidate,
} from './artifact-measure.ts';

/**
 * Writing an artifact of a 512 MiB root file system against Debian's mender-artifact 3.9, interleaved in one run.
 *
 *     node bench/artifact-write.ts [--rounds 3] [--lzma] [--image FILE] [--write]
 *
 * `--lzma` adds one round of lzma, which takes the peer minutes. Our zstd is compared with the peer's gzip, as it has none.
 */

const { values } = parseArgs({ options: { ...benchOptions, lzma: { type: 'boolean', default: false } } });

const note = `${values.rounds} interleaved rounds, medians${values.lzma ? ' (lzma: one)' : ''}; ratios are ours to the peer of the same compression, for zstd to its gzip.`;

await runBench({ name: 'artifact-write', note, values }, (image, directory) => {
  const out = join(directory, 'out.mender');
  const what = ['write', 'rootfs-image', '-n', 'a', '-f', image, '--no-progress', '-o', out];
  const theirs = (compression: string): Candidate => {
    return {
      name: `3.9 ${compression}`,
      program: peer,
      args: [...what, '-t', 'd', '--compression', compression],
    };
  };
  const own = (compression: string, comparedWith = `3.9 ${compression}`): Candidate => {
    const args = [...what, '-c', 'd', '--compression', compression];
    return { name: `ours ${compression}`, program: ours, args, comparedWith };
  };
  const sizes = new Map<string, string>();
  const weigh = (name: string) => {
    sizes.set(name, (statSync(out).size / 2 ** 20).toFixed(1));
    rmSync(out);
  };
  const quick = [theirs('gzip'), own('gzip'), own('zstd', '3.9 gzip'), theirs('none'), own('none')];
  const rows = [
    ...inTurns(quick, Number(values.rounds), weigh),
    ...(values.lzma ? inTurns([theirs('lzma'), own('lzma')], 1, weigh) : []),
  ];
  return [[...costColumns, 'size MiB'], ...rows.map((cells) => [...cells, sizes.get(cells[0] ?? '') ?? ''])];
});
