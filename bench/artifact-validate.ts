import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  benchOptions,
  costColumns,
  inTurns,
  measure,
  ours,
  peer,
  runBench,
  type Candidate,
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
    return ['validate', path];
  };
  const theirs = made('theirs', peer, '-t', 'gzip');
  const own = made('own', ours, '-c', 'gzip');
  const zstd = made('zstd', ours, '-c', 'zstd');
  const plain = made('plain', ours, '-c', 'none');
  const candidates: readonly Candidate[] = [
    { name: '3.9 reads its gzip', program: peer, args: theirs },
    { name: 'ours reads its gzip', program: ours, args: theirs, comparedWith: '3.9 reads its gzip' },
    { name: '3.9 reads our gzip', program: peer, args: own },
    { name: 'ours reads our gzip', program: ours, args: own, comparedWith: '3.9 reads our gzip' },
    { name: 'ours reads our zstd', program: ours, args: zstd, comparedWith: '3.9 reads its gzip' },
    { name: '3.9 reads none', program: peer, args: plain },
    { name: 'ours reads none', program: ours, args: plain, comparedWith: '3.9 reads none' },
  ];
  return [costColumns, ...inTurns(candidates, Number(values.rounds))];
});
