import { writeFileSync } from 'node:fs';
import { goodBytes, goodCases, badCases } from './golden.ts';
import { judge, mutate, randomFrom } from './mutate.ts';
import { artifactBytes, compressions, decompressors, moduleArtifact } from './sample.ts';
import { noise } from './streams.ts';

/*
 * node src/test-data/fuzz-reader.ts [cases] [first seed]: mutates both corpora and artifacts of our own for as many cases, and keeps what
 * fails as `fuzz-<seed>.mender`. Prints figures; exits with 1 if anything failed.
 */
const cases = Number(process.argv[2] ?? 1_000_000);
const firstSeed = Number(process.argv[3] ?? 1_000_000);
const slowMs = 2000;

const small = moduleArtifact({ 'a.bin': noise(700), 'b.bin': noise(30) });
const originals = [
  ...(await Promise.all(compressions.map((compression) => artifactBytes(small, { compression })))),
  ...goodCases().map(({ file }) => goodBytes(file)),
  ...badCases().map(({ bytes }) => bytes),
].filter((bytes) => bytes.length > 0 && bytes.length < 20_000);

const figures = {
  cases,
  originals: originals.length,
  accepted: 0,
  refused: 0,
  failed: 0,
  slow: 0,
  slowestMs: 0,
};
const begin = performance.now();
for (let seed = firstSeed; seed < firstSeed + cases; seed += 1) {
  const random = randomFrom(seed);
  const bytes = mutate(originals[random(originals.length)] ?? Buffer.alloc(0), random, originals);
  const started = performance.now();
  try {
    figures[await judge(bytes, { decompressors })] += 1;
  } catch (error) {
    figures.failed += 1;
    writeFileSync(`fuzz-${seed}.mender`, bytes);
    process.stderr.write(
      `${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  }
  const tookMs = performance.now() - started;
  if (tookMs > slowMs) figures.slow += 1;
  figures.slowestMs = Math.max(figures.slowestMs, Math.round(tookMs));
}
const seconds = Math.round((performance.now() - begin) / 1000);
process.stdout.write(
  `${JSON.stringify({ ...figures, seconds, peakMiB: Math.round(process.resourceUsage().maxRSS / 1024) })}\n`,
);
process.exitCode = figures.failed === 0 ? 0 : 1;
