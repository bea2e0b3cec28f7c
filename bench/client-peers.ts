import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  benchOptions,
  costCells,
  measure,
  median,
  medianCost,
  runBench,
  type Cost,
} from './artifact-measure.ts';
import { makeClientDevice, type Command } from './client-device.ts';
import { assertRivals, makeSigner, startRauc, swupdate } from './client-rivals.ts';

/**
 * Install of a root file system image into a block device (a loop device): ours beside Debian's mender-client 3.4, RAUC 1.8, SWUpdate
 * 2022.12 and `dd`, interleaved in one run; and the cost of reading the image back once and hashing it, which only ours does. As root:
 *
 *     node bench/client-peers.ts [--rounds 3] [--write]
 *
 * The partition holds zeros before each, and is flushed after it, within the time; each written image is compared with `cmp`.
 */

const { values } = parseArgs({ options: benchOptions });
const rounds = Number(values.rounds);

const note =
  `${values.rounds} interleaved rounds, medians (peak memory: largest; ratios: of each round), each written image compared with \`cmp\`. ` +
  'Ours reads everything back past the cache and hashes it before the flag turns, which costs at most the row "read and hash"; ' +
  'the peers do not: like for like is "not read back" (VerifyWrites false). "Small": TANDEM_SMALL_MEMORY.';

/** Which of ours is held against which peer. */
// prettier-ignore
const comparisons = {
  'ours, gzip, not read back': ['mender 3.4, gzip', 'rauc 1.8, gzip', 'swupdate, gzip'],
  'ours, gzip':                ['mender 3.4, gzip', 'rauc 1.8, gzip', 'swupdate, gzip'],
  'ours, gzip, small':         ['mender 3.4, gzip'],
  'ours, zstd, not read back': ['swupdate, zstd', 'dd + fsync'],
  'ours, zstd':                ['swupdate, zstd', 'dd + fsync'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

assertRivals();
await runBench({ name: 'client-peers', note, values }, async (image, directory) => {
  const device = makeClientDevice(directory, statSync(image).size);
  const signer = makeSigner(directory);
  const rauc = await startRauc(device, image, signer);
  try {
    const { inactive } = device;
    const [gzip, zstd] = [device.artifactOf(image, 'gzip'), device.artifactOf(image, 'zstd')];
    const flushed = (command: Command) => () =>
      measure('sh', ['-c', '"$@" && exec sync "$0"', inactive, ...command]);
    const candidates = {
      'dd + fsync': () => measure('dd', [`if=${image}`, `of=${inactive}`, 'bs=1M', 'conv=fsync,notrunc']),
      'mender 3.4, gzip': flushed(device.mender(['install', gzip])),
      'ours, gzip, not read back': flushed(device.ours('trusting', ['install', gzip])),
      'rauc 1.8, gzip': rauc.install,
      'ours, gzip': flushed(device.ours('usual', ['install', gzip])),
      'swupdate, gzip': swupdate(device, image, 'zlib', signer),
      'ours, gzip, small': flushed(device.ours('small', ['install', gzip])),
      'swupdate, zstd': swupdate(device, image, 'zstd', signer),
      'ours, zstd, not read back': flushed(device.ours('trusting', ['install', zstd])),
      'ours, zstd': flushed(device.ours('usual', ['install', zstd])),
      'read and hash': () =>
        measure('sh', ['-c', `dd if=${inactive} iflag=direct bs=1M status=none | openssl dgst -sha256`]),
    } as const;
    const costs = new Map<string, Cost[]>(Object.keys(candidates).map((name) => [name, []]));
    const costsOf = (name: string) => costs.get(name) ?? [];
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, run] of Object.entries(candidates)) {
        if (name !== 'read and hash') await device.reset();
        const cost = run();
        execFileSync('cmp', [image, inactive]);
        costsOf(name).push(cost);
        const [wall, cpu, peak] = costCells(cost, undefined);
        process.stdout.write(`${round + 1}  ${name.padEnd(26)} ${wall} s, CPU ${cpu} s, ${peak} MiB\n`);
      }
    }
    const ratio = (mine: string, peer: string, part: 'wallSeconds' | 'cpuSeconds'): string =>
      median(costsOf(mine).map((cost, round) => cost[part] / (costsOf(peer)[round]?.[part] ?? NaN))).toFixed(
        2,
      );
    const ratios = (mine: string, part: 'wallSeconds' | 'cpuSeconds'): string =>
      Object.entries(comparisons)
        .flatMap(([name, peers]) => (name === mine ? peers : []))
        .map((peer) => `${ratio(mine, peer, part)} of ${peer}`)
        .join('; ');
    return [
      ['', 'wall s', 'CPU s', 'peak MiB', 'wall', 'CPU'],
      ...Object.keys(candidates).map((name) => [
        name,
        ...costCells(medianCost(costsOf(name)), undefined).slice(0, 3),
        ratios(name, 'wallSeconds'),
        ratios(name, 'cpuSeconds'),
      ]),
    ];
  } finally {
    await rauc.stop();
    device.close();
  }
});
