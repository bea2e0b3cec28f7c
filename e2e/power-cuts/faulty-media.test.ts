import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildBundle } from '../../packages/client/build-bundle.ts';
import { buildMutant } from './build-mutant.ts';
import { installerOf, installers, makeFailingDevice } from './failing-device.ts';
import type { Fault } from './failing-medium.ts';
import { tryMedia } from './media-trials.ts';
import { mutants } from './mutants.ts';

/*
 * The real client, bundled, installs onto a block device that fails once: a write that is refused, dropped or changed, a flush that
 * fails. A small image in few large writes; `run-faulty-media.ts` goes through more of them.
 */
const KiB = 1024;
const directory = await mkdtemp(join(tmpdir(), 'faulty-media-'));
let device: Awaited<ReturnType<typeof makeFailingDevice>>;
before(async () => {
  const bundle = join(directory, 'tandem-update.mjs');
  await buildBundle(bundle);
  device = await makeFailingDevice({
    directory: join(directory, 'device'),
    bundle,
    imageBytes: 2048 * KiB,
    writeBytes: 512 * KiB,
  });
});
after(async () => {
  await device.close();
  await rm(directory, { recursive: true });
});

test('whatever goes wrong with one write or flush, the device goes on booting what it had', async () => {
  for (const { kind, counts, missed } of await tryMedia(device, installers.tandem)) {
    assert.deepEqual(missed, [], kind);
    assert.ok(counts.detected > 0, kind);
  }
});

test('a disk that drops a write is missed by the client of Debian, so the fault is a real one', async () => {
  const { verdict } = await device.install(installers['mender-client 3.4'], { kind: 'dropped', write: 2 });
  assert.equal(verdict, 'missed');
});

const faultFor = {
  'read-back-removed': { kind: 'dropped', write: 2 },
  'read-back-through-the-cache': { kind: 'one bit flipped', write: 3 },
  'failed-flush-swallowed': { kind: 'flush answered with EIO', flush: 1 },
} as const satisfies Partial<Record<keyof typeof mutants, Fault>>;

for (const name of Object.keys(faultFor) as (keyof typeof faultFor)[]) {
  test(`it would be seen if this were broken: ${mutants[name].breaks}`, async () => {
    await buildMutant(mutants[name], join(directory, 'device/device', name));
    const { verdict } = await device.install(installerOf(name), faultFor[name]);
    assert.notEqual(verdict, 'detected');
  });
}
