import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { PayloadFile } from '@tandem/artifact';
import { createDaemon } from '../daemon/create-daemon.ts';
import { keepProgress, savedEvery } from './download-progress.ts';
import type { StoredDownload } from './saved-download.ts';
import { makeTestDevice, removeTestDevice, testNeeds } from './test-device.ts';

const MiB = 1024 * 1024;
const file: PayloadFile = {
  payloadIndex: 0,
  name: 'rootfs.ext4',
  sizeBytes: 100 * MiB,
  mode: 0o644,
  modifiedAt: 0,
  sha256: 'f'.repeat(64),
  contentOffset: 512,
  content: (async function* () {})(),
};
const pointAt = (mebibyte: number) => ({
  payloadIndex: 0,
  compressedOffset: 5000 + mebibyte * 1000,
  uncompressedOffset: mebibyte * MiB,
});

function progress({ files = 1, identity = true } = {}) {
  const clock = { at: 1_000_000, now: () => clock.at };
  const saved: StoredDownload[] = [];
  const keeper = keepProgress(clock, async (stored) => void saved.push(stored));
  if (identity) keeper.onIdentity({ totalBytes: 50 * MiB, etag: '"a"' });
  keeper.onPayloadArchive({ payloadIndex: 0, compression: 'gzip', offset: 5000, sizeBytes: 50 * MiB });
  for (let count = 0; count < files; count += 1) keeper.onFile(file);
  return { keeper, clock, saved };
}

describe('the progress of a download', () => {
  test('is saved for the last restart point of which all is durable', async () => {
    const { keeper, saved } = progress();
    for (const mebibyte of [4, 8, 12]) keeper.onRestartPoint(pointAt(mebibyte));
    await keeper.stored({ target: '/dev/sda3', bytes: 12 * MiB - 513 });
    assert.deepEqual(saved, [
      {
        identity: { totalBytes: 50 * MiB, etag: '"a"' },
        archiveOffset: 5000,
        point: pointAt(8),
        file: {
          name: 'rootfs.ext4',
          sizeBytes: 100 * MiB,
          mode: 0o644,
          modifiedAt: 0,
          contentOffset: 512,
          sha256: file.sha256,
        },
        target: '/dev/sda3',
      },
    ]);
    await keeper.stored({ target: '/dev/sda3', bytes: 12 * MiB - 512 });
    assert.deepEqual(saved.at(-1)?.point, pointAt(12));
  });

  test('is due after so many bytes or so long, and only where there is a new point to go on from', async () => {
    const { keeper, clock, saved } = progress();
    assert.equal(keeper.isDue(90 * MiB), false, 'no point yet');
    keeper.onRestartPoint(pointAt(4));
    assert.equal(keeper.isDue(5 * MiB), false, 'too soon');
    assert.equal(keeper.isDue(savedEvery.bytes), true);
    clock.at += savedEvery.ms;
    assert.equal(keeper.isDue(5 * MiB), true);
    await keeper.stored({ target: 't', bytes: 5 * MiB });
    assert.equal(keeper.isDue(90 * MiB), false, 'nothing new');
    keeper.onRestartPoint(pointAt(8));
    clock.at -= 1_000;
    assert.equal(keeper.isDue(9 * MiB), true, 'a clock that was set back counts as time gone by');
    assert.equal(saved.length, 1);
  });

  for (const [what, options] of [
    ['of several files', { files: 2 }],
    ['from a server that does not say how long the artifact is', { identity: false }],
  ] as const) {
    test(`is never due ${what}`, () => {
      const { keeper } = progress(options);
      keeper.onRestartPoint(pointAt(4));
      assert.equal(keeper.isDue(90 * MiB), false);
    });
  }

  test('that cannot be saved does not fail the deployment', async (t) => {
    const device = await makeTestDevice({
      payloadType: 'rootfs-image',
      content: randomBytes(9 * MiB),
      write: { compression: 'gzip', level: 1 },
    });
    t.after(() => removeTestDevice(device));
    const needs = testNeeds(device.directory, async () => assert.fail('it reboots'));
    const { files } = needs.system;
    const unused = async () => undefined;
    await createDaemon({
      ...needs,
      system: {
        ...needs.system,
        files: {
          ...files,
          writeDurably: async (path, ...rest) => {
            if (path.endsWith('tandem-download.json')) throw new Error('ENOSPC: no space left on device');
            await files.writeDurably(path, ...rest);
          },
        },
      },
      server: {
        ...needs.server,
        download: (wanted, signal) => {
          wanted.onIdentity?.({ totalBytes: 9 * MiB });
          return needs.server.download(wanted, signal);
        },
      },
      builtInInstallers: {
        'rootfs-image': () => ({
          download: async (_payload, payloadFiles, _signal, told) => {
            for await (const { content } of payloadFiles) for await (const _piece of content);
            await told?.stored({ target: 't', bytes: 2 ** 40 });
          },
          artifactInstall: unused,
          needsArtifactReboot: async () => 'No' as const,
          artifactReboot: unused,
          artifactVerifyReboot: unused,
          artifactCommit: unused,
          supportsRollback: async () => true,
          artifactRollback: unused,
          artifactRollbackReboot: unused,
          artifactVerifyRollbackReboot: unused,
          artifactFailure: unused,
          cleanup: unused,
        }),
      },
    }).runOnce(new AbortController().signal);
    assert.equal((await device.statuses()).at(-1), 'success');
    const log = await readFile(join(device.directory, 'system-log'), 'utf8');
    assert.match(log, /Could not save how far the download has come: ENOSPC/);
  });
});
