import assert from 'node:assert/strict';
import { test } from 'node:test';
import { golden, goodCases } from './test-data/golden.ts';
import { run } from './test-data/run.ts';

for (const { id, file, observed, expect } of goodCases()) {
  const reference = observed['4.4'];
  // 4.4 refuses rootfs-image artifacts of its own older versions (empty type in type-info); ours shows them.
  if (reference['read']?.rc === 0) {
    test(`read shows ${id} as mender-artifact 4.4 does`, async () => {
      const { exitCode, stdout, stderr } = await run(['read', golden(file)]);
      assert.equal(stdout, reference['read']?.stdout);
      assert.equal(stderr, '');
      assert.equal(exitCode, 0);
    });
  } else {
    test(`read shows ${id}, which mender-artifact 4.4 refuses`, async () => {
      const { exitCode, stdout } = await run(['read', golden(file)]);
      assert.match(stdout, /^ {2}- Type: rootfs-image$/m);
      assert.equal(exitCode, 0);
    });
  }
  const key = expect.verify_key;
  if (key !== null) {
    test(`read and validate verify the signature of ${id}`, async () => {
      const shown = await run(['read', '-k', golden(key), golden(file)]);
      assert.match(shown.stdout, /^ {2}Signature: signed and verified correctly$/m);
      const valid = await run(['validate', '-k', golden(key), golden(file)]);
      assert.equal(valid.stdout, `Artifact file '${golden(file)}' validated successfully\n`);
      const wrong = await run(['validate', '--key', golden('keys/wrong-rsa2048.pub.pem'), golden(file)]);
      assert.equal(wrong.exitCode, 5);
      assert.match(wrong.stderr, /altered, or signed with another key/);
      const wrongShown = await run(['read', '--key', golden('keys/wrong-rsa2048.pub.pem'), golden(file)]);
      assert.match(wrongShown.stdout, /^ {2}Signature: signed; verification using provided key failed$/m);
      const keyless = await run(['validate', golden(file)]);
      assert.equal(keyless.exitCode, 5);
      assert.match(keyless.stderr, /^missing verifier/);
    });
  } else {
    test(`validate accepts ${id}, and refuses it as unsigned with a key given`, async () => {
      assert.equal((await run(['validate', golden(file)])).exitCode, 0);
      const unsigned = await run(['validate', '-k', golden('keys/ec256-sec1.pub.pem'), golden(file)]);
      assert.equal(unsigned.exitCode, 5);
      assert.match(unsigned.stderr, /missing signature/);
      assert.match(
        (await run(['read', '-k', golden('keys/ec256-sec1.pub.pem'), golden(file)])).stdout,
        /no signature/,
      );
    });
  }
}

test('times are shown in the local zone, as Go prints them', async () => {
  const { stdout } = await run(['read', golden('03-v3-rootfs-signed-44.mender')], {
    environment: { TZ: 'Asia/Kolkata' },
  });
  assert.match(stdout, /modified: 2023-11-15 03:43:20 \+0530 /);
});

test('files that are no artifacts have their own exit statuses', async () => {
  assert.equal((await run(['validate', golden('inputs/app.bin')])).exitCode, 5);
  assert.equal((await run(['read', golden('inputs/app.bin')])).exitCode, 1);
  assert.equal((await run(['validate', '/nonexistent'])).exitCode, 4);
  assert.equal((await run(['read', '/nonexistent'])).exitCode, 4);
  assert.equal((await run(['read'])).exitCode, 1);
  assert.equal((await run(['read', '-k', '/nonexistent', golden('01-v3-rootfs-gzip.mender')])).exitCode, 1);
});
