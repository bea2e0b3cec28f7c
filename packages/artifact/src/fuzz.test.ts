import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseVerificationKey, signerFromPrivateKey } from './signature.ts';
import { goldenKey, goodBytes, goodCases } from './test-data/golden.ts';
import { judge, mutate, randomFrom } from './test-data/mutate.ts';
import { artifactBytes, compressions, decompressors, moduleArtifact } from './test-data/sample.ts';
import { noise } from './test-data/streams.ts';

/*
 * A short run with a fixed seed; `test-data/fuzz-reader.ts` is the long one. A case that fails is told by its number: the seed is the number.
 */
const cases = 2500;

const small = moduleArtifact({ 'a.bin': noise(700), 'b.bin': noise(30) });
const originals = [
  ...(await Promise.all(compressions.map((compression) => artifactBytes(small, { compression })))),
  ...goodCases()
    .map(({ file }) => goodBytes(file))
    .filter((bytes) => bytes.length < 20_000),
];

test(
  `of ${cases} mutated artifacts none makes the reader crash, hang or give out anything unproven`,
  { timeout: 120_000 },
  async () => {
    const verdicts = { accepted: 0, refused: 0 };
    for (let seed = 1; seed <= cases; seed += 1) {
      const random = randomFrom(seed);
      const original = originals[random(originals.length)] ?? assert.fail('there are originals');
      try {
        verdicts[await judge(mutate(original, random, originals), { decompressors })] += 1;
      } catch (cause) {
        throw new Error(`case ${seed}`, { cause });
      }
    }
    assert.ok(verdicts.refused > cases / 2 && verdicts.accepted > 0, JSON.stringify(verdicts));
  },
);

test('with a key given no mutation of what was signed is accepted', { timeout: 60_000 }, async () => {
  const signer = signerFromPrivateKey(goldenKey('ec256-sec1.key'));
  const verificationKeys = [parseVerificationKey(goldenKey('ec256-sec1.pub'))];
  const signed = await artifactBytes(small, { signer, compression: 'none' });
  const manifestAt = signed.indexOf('  data/0000/a.bin') - 64;
  const manifest = signed.subarray(manifestAt, signed.indexOf('  version\n') + 10);
  for (let seed = 1; seed <= 1000; seed += 1) {
    const bytes = mutate(signed, randomFrom(seed), originals);
    const verdict = await judge(bytes, { verificationKeys });
    if (verdict === 'accepted')
      assert.ok(bytes.includes(manifest), `case ${seed}: an altered manifest was accepted`);
  }
});
