import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chooseArtifact, type Candidate, type DeviceProvides } from './choose-artifact.ts';

const full = { id: 'full', sizeBytes: 1000, depends: { device_type: ['pi4', 'pi5'] } };
const delta = {
  id: 'delta',
  sizeBytes: 10,
  depends: { device_type: ['pi4'], 'rootfs-image.checksum': ['old'] },
};
const device = (values: Record<string, string>, complete = true): DeviceProvides => ({ values, complete });

test('a device gets the smallest artifact that it can install: the delta where it fits, the full image elsewhere', () => {
  const candidates = [full, delta];
  assert.equal(
    chooseArtifact(candidates, device({ device_type: 'pi4', 'rootfs-image.checksum': 'old' }))?.id,
    'delta',
  );
  assert.equal(
    chooseArtifact(candidates, device({ device_type: 'pi4', 'rootfs-image.checksum': 'new' }))?.id,
    'full',
  );
  assert.equal(chooseArtifact(candidates, device({ device_type: 'pi4' }))?.id, 'full');
  assert.equal(chooseArtifact(candidates, device({ device_type: 'other' })), undefined);
});

test('of a device that does not say all it provides, what is proven to fit is taken before what may fit', () => {
  const asks = device({ device_type: 'pi4', artifact_name: 'x' }, false);
  assert.equal(chooseArtifact([delta, full], asks)?.id, 'full');
  assert.equal(chooseArtifact([delta], asks)?.id, 'delta');
  const afterOther = { id: 'o', sizeBytes: 1, depends: { device_type: ['pi4'], artifact_name: ['y'] } };
  assert.equal(chooseArtifact([afterOther, full], asks)?.id, 'full');
});

test('an artifact for no type of device is for none, whatever keys an object has by itself', () => {
  assert.equal(
    chooseArtifact([{ id: 'a', sizeBytes: 1, depends: {} }], device({ device_type: 'pi4' })),
    undefined,
  );
  const odd = { id: 'a', sizeBytes: 1, depends: { device_type: ['pi4'], constructor: ['x'] } };
  assert.equal(chooseArtifact([odd], device({ device_type: 'pi4' })), undefined);
});

const word = fc.constantFrom('a', 'b', 'c');
const key = fc.constantFrom('device_type', 'artifact_name', 'artifact_group', 'rootfs-image.checksum');
const candidate: fc.Arbitrary<Candidate> = fc.record({
  id: fc.uuid(),
  sizeBytes: fc.integer({ min: 0, max: 5 }),
  depends: fc.dictionary(key, fc.array(word, { minLength: 1, maxLength: 3 })),
});
const provides: fc.Arbitrary<DeviceProvides> = fc.record({
  values: fc.dictionary(key, word),
  complete: fc.boolean(),
});

test('whatever is offered: the choice contradicts nothing the device said, no fitting one is smaller, order is no matter', () => {
  const contradicts = ({ depends }: Candidate, { values }: DeviceProvides) =>
    Object.entries(depends).some(
      ([name, allowed]) => name in values && !allowed.includes(values[name] ?? ''),
    );
  const proven = (one: Candidate, by: DeviceProvides) =>
    'device_type' in one.depends &&
    Object.entries(one.depends).every(([name, allowed]) => allowed.includes(by.values[name] ?? 'nothing'));

  fc.assert(
    fc.property(fc.array(candidate), provides, (candidates, by) => {
      const chosen = chooseArtifact(candidates, by);
      assert.equal(chooseArtifact(candidates.toReversed(), by)?.id, chosen?.id);
      const fitting = candidates.filter((one) => proven(one, by));
      if (fitting.length > 0) {
        assert.ok(chosen !== undefined && proven(chosen, by));
        assert.ok(fitting.every(({ sizeBytes }) => sizeBytes >= chosen.sizeBytes));
      } else if (chosen !== undefined) {
        assert.equal(by.complete, false);
        assert.equal(contradicts(chosen, by), false);
      }
    }),
    { numRuns: 500 },
  );
});
