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
 * Validating artifacts of a 512 MiB root file system against Debian's mender-artifact 3.9, interleaved in one run: artifacts the peer wrote
 * and ours, each by both; zstd, which the peer cannot read, against its gzip.
 *
 *     node bench/artifact-validate.ts [--rounds 3] [--image FILE] [--write]
 */

const { values } = parseArgs({ options: benchOptions });

const note = `${values.rounds} interleaved rounds, medians.`;

await runBench({ name: 'artifact-validate', note, values }, (image, directory) => {
  const made = (name: string, program: string, device: string, compression: string) => {
    const path = join(directory, `${name}.mender`);
    const flags = [device, 'd', '-n', 'a', '-f', image, '--compression', compression, '-o', path];
    measure(program, ['write', 'rootfs-image', ...flags]);
    return path;
  };
  const theirs = made('theirs', peer, '-t', 'gzip');
  const own = made('own', ours, '-c', 'gzip');
  const zstd = made('zstd', ours, '-c', 'zstd');
  const plain = made('plain', ours, '-c', 'none');
  const candidates = [
    { name: '3.9 reads its gzip', program: peer, path: theirs, comparedWith: undefined },
    { name: 'ours reads its gzip', program: ours, path: theirs, comparedWith: '3.9 reads its gzip' },
    { name: '3.9 reads our gzip', program: peer, path: own, comparedWith: undefined },
    { name: 'ours reads our gzip', program: ours, path: own, comparedWith: '3.9 reads our gzip' },
    { name: 'ours reads our zstd', program: ours, path: zstd, comparedWith: '3.9 reads its gzip' },
    { name: '3.9 reads none', program: peer, path: plain, comparedWith: undefined },
    { name: 'ours reads none', program: ours, path: plain, comparedWith: '3.9 reads none' },
  ];
  const costs = new Map<string, Cost[]>(candidates.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const { name, program, path } of candidates)
      costs.get(name)?.push(measure(program, ['validate', path]));
  }
  const rows = candidates.map(({ name, comparedWith }) => {
    const other = comparedWith === undefined ? undefined : medianCost(costs.get(comparedWith) ?? []);
    return [name, ...costCells(medianCost(costs.get(name) ?? []), other)];
  });
  return [['', 'wall s', 'cpu s', 'peak MiB', 'wall ratio', 'cpu ratio'], ...rows];
});
