import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { ToDeviceMaker } from '@tandem/api';
import { startWholeServer, type WholeServer } from './testing/whole-server.ts';
import { virtualDevicesOfParent } from './virtual-devices.ts';

/** A parent that answers as it is told to. */
function parent(answer: (asked: ToDeviceMaker) => unknown) {
  const events = new EventEmitter();
  const side = {
    channel: { unref: () => undefined },
    on: (event: 'message', listener: (message: unknown) => void) => events.on(event, listener),
    send: (asked: ToDeviceMaker, done: (error: Error | null) => void) => {
      const said = answer(asked);
      if (said instanceof Error) done(said);
      else if (said !== undefined) setImmediate(() => events.emit('message', said));
      return true;
    },
  };
  return { side, says: (message: unknown) => events.emit('message', message) };
}
const device = { name: 'device-4', identity: { mac: '02:00:00:00:00:01' } };

test('a server that nobody started so has no virtual devices', async () => {
  const devices = virtualDevicesOfParent({ on: () => undefined });
  assert.equal(devices.isOffered(), false);
  await assert.rejects(devices.add(), { code: 'unavailable' });
});

test('they are there once the parent says so, and whatever else it says changes nothing', () => {
  const { side, says } = parent(() => undefined);
  const devices = virtualDevicesOfParent(side);
  for (const noise of [null, 'virtual-devices-offered', { kind: 'something' }, {}]) says(noise);
  assert.equal(devices.isOffered(), false);
  says({ kind: 'virtual-devices-offered' });
  assert.equal(devices.isOffered(), true);
});

test('the device that was made is told of; of two asked for at once each gets its own', async () => {
  const asked: string[] = [];
  const { side, says } = parent(({ request }) => void asked.push(request));
  const devices = virtualDevicesOfParent(side);
  const both = [devices.add(), devices.add()];
  for (const request of asked.toReversed()) {
    const name = request === asked[0] ? 'first' : 'second';
    says({ kind: 'virtual-device-added', request, device: { ...device, name } });
  }
  assert.deepEqual(
    (await Promise.all(both)).map(({ name }) => name),
    ['first', 'second'],
  );
});

test('a refusal comes with the reason of the one that refuses', async () => {
  const { side } = parent(({ request }) => ({
    kind: 'virtual-device-refused',
    request,
    reason: 'ten are enough',
  }));
  await assert.rejects(virtualDevicesOfParent(side).add(), { code: 'conflict', message: 'ten are enough' });
});

test('a parent that is gone, or silent, is not waited for', async () => {
  const gone = parent(() => new Error('channel closed'));
  await assert.rejects(virtualDevicesOfParent(gone.side).add(), { code: 'unavailable' });
  const mute = parent(() => undefined);
  await assert.rejects(virtualDevicesOfParent(mute.side, 10).add(), { code: 'unavailable' });
});

const path = '/api/tandem/v1/virtual-devices';
const offered = async ({ request, token }: WholeServer): Promise<unknown> =>
  ((await request('GET', '/api/tandem/v1/server', { token })).json as { virtual_devices: unknown })
    .virtual_devices;

test('the API says that there are none to be had', async () => {
  await using server = await startWholeServer();
  assert.equal(await offered(server), false);
  const { status, json } = await server.request('POST', path, { token: server.token });
  assert.equal(status, 404);
  assert.match(String((json as { error: unknown }).error), /the demo has them/);
});

test('the API switches one on, for a user alone', async () => {
  let made = 0;
  const add = () => Promise.resolve({ ...device, name: `device-${(made += 1)}` });
  await using server = await startWholeServer({ virtualDevices: { isOffered: () => true, add } });
  assert.equal(await offered(server), true);
  assert.equal((await server.request('POST', path)).status, 401);
  assert.equal(made, 0);
  const { status, json } = await server.request('POST', path, { token: server.token });
  assert.equal(status, 201);
  assert.deepEqual(json, { ...device, name: 'device-1' });
});
