import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeCompressors, nodeDecompressors } from '@tandem/artifact';
import { xzCompressor } from '@tandem/artifact/xz';
import { createDaemon } from '../daemon/create-daemon.ts';
import { makeTestDevice, removeTestDevice, testNeeds } from './test-device.ts';

const { zstd: _zstd, ...onlyGzip } = nodeDecompressors;

/** The device polls once; it does not reboot. */
async function runOn(
  t: { after: (done: () => Promise<void>) => void },
  compression: 'gzip' | 'lzma' | 'zstd',
) {
  const device = await makeTestDevice({
    write: { compression, compressors: { ...nodeCompressors, lzma: xzCompressor } },
  });
  t.after(() => removeTestDevice(device));
  await device.set('answer', 'NeedsArtifactReboot', 'No');
  let downloads = 0;
  const needs = testNeeds(device.directory, async () => assert.fail('it reboots'));
  await createDaemon({
    ...needs,
    decompressors: onlyGzip,
    server: {
      ...needs.server,
      download: (...wanted) => {
        downloads += 1;
        return needs.server.download(...wanted);
      },
    },
  }).runOnce(new AbortController().signal);
  return { statuses: await device.statuses(), log: (await device.uploadedLog()) ?? '', downloads, device };
}

for (const { compression, names } of [
  { compression: 'lzma', names: 'xz-utils' },
  { compression: 'zstd', names: 'zstd' },
] as const) {
  test(`a device without ${names} fails before it says that it downloads, once, naming the package`, async (t) => {
    const { statuses, log, device } = await runOn(t, compression);
    assert.deepEqual(statuses, ['failure']);
    assert.match(log, new RegExp(`nothing to decompress .* Install the package ${names},`));
    assert.deepEqual(await device.chain(), [], 'no script and no module was called');
    assert.equal((await device.records())['artifact-name'], 'version-1');
    const systemLog = await readFile(join(device.directory, 'system-log'), 'utf8');
    assert.equal(systemLog.match(/Install the package/g)?.length, 1);
  });
}

test('a device that lacks a decompressor the artifact does not need installs it', async (t) => {
  const { statuses, downloads } = await runOn(t, 'gzip');
  assert.equal(statuses.at(-1), 'success');
  assert.equal(downloads, 2, 'its header was looked at first');
});
