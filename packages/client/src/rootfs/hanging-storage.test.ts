import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdtemp, open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createDaemon } from '../daemon/create-daemon.ts';
import { makeTestDevice, removeTestDevice, testNeeds } from '../deployment/test-device.ts';
import { filesInTime } from '../system/files-in-time.ts';
import { linuxFiles } from '../system/linux-files.ts';
import { linuxProcesses } from '../system/linux-processes.ts';
import { openInTime, type OpenedFile } from '../system/open-in-time.ts';
import { writeImage } from './write-image.ts';

/*
 * Storage whose calls never come back, as of a driver that has lost its device. A file system is handed in that does so; the limit,
 * ten minutes on a device, is short here.
 */
const directory = await mkdtemp(join(tmpdir(), 'hanging-storage-'));
after(() => rm(directory, { recursive: true }));
const forever = new AbortController().signal;
const MiB = 1024 * 1024;
const never = new Promise<never>(() => undefined);

/** A file that hangs is not closed by who waited for it. */
const opened: FileHandle[] = [];
after(() => Promise.all(opened.map((file) => file.close().catch(() => undefined))));

const standing = (file: FileHandle): OpenedFile => ({
  read: (...to) => file.read(...to),
  write: (...from) => file.write(...from),
  datasync: () => file.datasync(),
  sync: () => file.sync(),
  close: () => file.close(),
});

/** The real file, in which one kind of call does something else. */
const standingStillIn =
  (call: keyof OpenedFile | 'open', does: () => Promise<never>) => async (path: string, flags: number) => {
    if (call === 'open') return does();
    const file = await open(path, flags);
    opened.push(file);
    return { ...standing(file), [call]: does };
  };

const hangingIn = (call: keyof OpenedFile | 'open') => standingStillIn(call, () => never);

describe('a partition whose calls never come back', () => {
  for (const call of ['open', 'read', 'write', 'sync', 'datasync', 'close'] as const) {
    test(`in ${call}: the download fails in time, by name`, { timeout: 10_000 }, async () => {
      const path = join(directory, `partition-${call}-1`);
      await writeFile(path, Buffer.alloc(4 * MiB));
      const bytes = randomBytes(3 * MiB);
      const content = (async function* () {
        yield await Promise.resolve(bytes);
      })();
      const writing = writeImage(
        { processes: linuxProcesses(process.env), log: () => undefined },
        { path, number: 1, deviceNumber: undefined, ubiVolume: undefined },
        { name: 'rootfs.ext4', sizeBytes: bytes.length, sha256: '', content },
        forever,
        {
          open: openInTime(hangingIn(call), 50),
          progress: { isDue: () => true, stored: async () => undefined },
        },
      );
      await assert.rejects(writing, {
        code: 'storageHangs',
        message: new RegExp(`${path}.* has not come back within 0.05 s: the storage hangs`),
      });
    });
  }
});

test('a partition that hangs is closed by none of those who have it open', { timeout: 10_000 }, async () => {
  const path = join(directory, 'partition-open-twice-1');
  await writeFile(path, Buffer.alloc(MiB));
  const openPartition = openInTime(async (at, flags) => {
    const file = await open(at, flags);
    opened.push(file);
    return { ...standing(file), write: () => never, close: () => never };
  }, 50);
  const [first, second] = await Promise.all([1, 2].map(() => openPartition(path, constants.O_RDWR)));
  const bytes = Buffer.alloc(1);
  await assert.rejects(async () => first?.write(bytes, 0, 1, 0), { code: 'storageHangs' });
  await first?.close();
  await second?.close();
});

describe('a partition with an error', () => {
  for (const call of ['open', 'read', 'write', 'sync', 'datasync', 'close'] as const) {
    test(`in ${call}: what was written is not believed`, async () => {
      const path = join(directory, `failing-${call}-1`);
      await writeFile(path, Buffer.alloc(4 * MiB));
      const bytes = randomBytes(3 * MiB);
      const content = (async function* () {
        yield await Promise.resolve(bytes);
      })();
      const stored: number[] = [];
      const writing = writeImage(
        { processes: linuxProcesses(process.env), log: () => undefined },
        { path, number: 1, deviceNumber: undefined, ubiVolume: undefined },
        {
          name: 'rootfs.ext4',
          sizeBytes: bytes.length,
          sha256: createHash('sha256').update(bytes).digest('hex'),
          content,
        },
        forever,
        {
          open: openInTime(standingStillIn(call, () => Promise.reject(new Error('EIO: i/o error')))),
          progress: { isDue: () => true, stored: async (at) => void stored.push(at.bytes) },
        },
      );
      await assert.rejects(writing, /EIO/);
      if (call === 'datasync') assert.deepEqual(stored, [], 'no progress is told that was not flushed');
    });
  }
});

test('a store that never comes back is a failure in time, whatever is asked of it', async () => {
  const hanging = {
    read: () => never,
    writeDurably: () => never,
    removeDurably: () => never,
    makeDirectoryDurably: () => never,
    list: () => never,
    kind: () => never,
  };
  const files = filesInTime(hanging, 20);
  const calls = [
    files.read('/a', 1),
    files.writeDurably('/a', ''),
    files.removeDurably('/a'),
    files.makeDirectoryDurably('/a'),
    files.list('/a'),
    files.kind('/a'),
  ];
  for (const call of calls)
    await assert.rejects(call, { code: 'storageHangs', message: /\/a has not come back/ });
  assert.equal(await filesInTime(linuxFiles(), 10_000).read('/does/not/exist', 1), undefined);
});

test('a deployment whose storage hangs is reported as failed, and the client ends with an error', async (t) => {
  const device = await makeTestDevice({ payloadType: 'rootfs-image' });
  t.after(() => removeTestDevice(device));
  const needs = testNeeds(device.directory, async () => assert.fail('it reboots'));
  const unused = async () => undefined;
  const running = createDaemon({
    ...needs,
    builtInInstallers: {
      'rootfs-image': () => ({
        download: async (_payload, files) => {
          for await (const file of files) {
            const write = openInTime(hangingIn('write'), 20);
            const partition = await write(join(directory, 'partition-write-1'), constants.O_RDWR);
            for await (const piece of file.content)
              await partition.write(Buffer.from(piece), 0, piece.length, 0);
          }
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
  }).run(forever);
  await assert.rejects(running, { code: 'storageHangs' });
  assert.deepEqual(await device.statuses(), ['downloading', 'failure']);
  assert.match((await device.uploadedLog()) ?? '', /Writing \d+ bytes to .* has not come back/);
  assert.equal((await device.records())['artifact-name'], 'version-1');
});
