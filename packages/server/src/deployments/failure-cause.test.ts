import assert from 'node:assert/strict';
import { it } from 'node:test';
import { failureCause } from './failure-cause.ts';

const message = (level: string, text: string) => ({
  timestamp: '2026-01-01T00:00:00Z',
  level,
  message: text,
});

it('the cause is the first error, not what came of it', () => {
  const log = [message('info', 'begin'), message('error', 'No space left'), message('error', 'Rolled back')];
  assert.equal(failureCause(log), 'No space left');
  assert.equal(failureCause([message('FATAL', 'x')]), 'x');
  assert.equal(failureCause([message('info', 'all is well')]), undefined);
});

it('devices that failed of the same have the same cause', () => {
  const of = (id: string, mac: string, time: string) =>
    failureCause([message('error', `device ${id} (${mac}) at ${time}:\n cannot write block 7`)]);
  const one = of('6f3ee865-29ba-4be4-81aa-ec328b5a00a2', '02:3f:d7:b4:58:bb', '2026-11-21T09:28:37Z');
  assert.equal(one, 'device … (…) at …: cannot write block 7');
  assert.equal(
    one,
    of('00caa384-7f45-4ac0-916d-f0e3ee9a0368', '02:51:11:ea:d2:e5', '2026-11-20 01:02:03.4Z'),
  );
});

it('where a program lies on the device does not matter, which it is does', () => {
  const script = (directory: string) =>
    failureCause([message('error', `State script ${directory}/ArtifactCommit_Enter_10 failed`)]);
  assert.equal(script('/data/mender/scripts'), 'State script …ArtifactCommit_Enter_10 failed');
  assert.equal(script('/data/mender/scripts'), script('/var/lib/mender/scripts'));
});

it('a log without end gives a line with one', () => {
  assert.equal(failureCause([message('error', 'x'.repeat(1_000_000))])?.length, 200);
});
