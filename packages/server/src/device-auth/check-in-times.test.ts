import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { defaultTenant } from '../actor.ts';
import { createInventory } from '../inventory/inventory.ts';
import { acceptedDevice, startWholeServer, type WholeServer } from '../testing/whole-server.ts';
import { checkInTimes } from './check-in-times.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
const start = Date.parse('2026-11-21T06:00:00Z');

let server: WholeServer;
before(async () => {
  server = await startWholeServer();
});
after(() => server[Symbol.asyncDispose]());

describe('the times at which devices were heard of', () => {
  /** To the devices' own records, and to the inventory. */
  const storedTimes = async (id: string): Promise<unknown[]> => {
    const { token } = server;
    const device = await server.request('GET', `/api/management/v2/devauth/devices/${id}`, { token });
    const inventory = await server.request('GET', `/api/management/v1/inventory/devices/${id}`, { token });
    const { attributes } = inventory.json as { attributes: { name: string; scope: string; value: string }[] };
    const noted = attributes.find(({ name, scope }) => scope === 'system' && name === 'check_in_time');
    return [(device.json as { check_in_time?: string }).check_in_time, noted?.value].map((text) =>
      text === undefined ? undefined : Date.parse(text),
    );
  };

  it('are stored together, exact with the device, moved once a day in the inventory', async () => {
    const often = (await acceptedDevice(server, { mac: 'cc:01' })).id;
    const seldom = (await acceptedDevice(server, { mac: 'cc:02' })).id;
    const times = checkInTimes(server.database, createInventory(server.database, Date.now).noteCheckIns);
    const heardOf = async (time: number, ...ids: string[]) => {
      for (const id of ids) times.note(defaultTenant, id, time);
      await times.flush();
    };

    await heardOf(start, often, seldom);
    assert.deepEqual(await storedTimes(often), [start, start]);
    assert.deepEqual(await storedTimes(seldom), [start, start]);
    assert.equal(times.pending(defaultTenant, often), undefined);

    await heardOf(start + minute, often);
    assert.deepEqual(await storedTimes(often), [start + minute, start]);
    assert.deepEqual(await storedTimes(seldom), [start, start]);

    await heardOf(start + day, often);
    assert.deepEqual(await storedTimes(often), [start + day, start + day]);
  });

  it('are stored of a fleet that came all at once, those passed over that are gone meanwhile', async () => {
    const { id } = await acceptedDevice(server, { mac: 'cc:03' });
    const times = checkInTimes(server.database, createInventory(server.database, Date.now).noteCheckIns);
    for (let count = 0; count < 250; count += 1) times.note(defaultTenant, randomUUID(), start);
    times.note(defaultTenant, id, start);
    await times.flush();
    assert.deepEqual(await storedTimes(id), [start, start]);
  });

  it('are shown while they are stored, and kept when that fails', async () => {
    const { id } = await acceptedDevice(server, { mac: 'cc:04' });
    const shown: unknown[] = [];
    let fails = true;
    const { noteCheckIns } = createInventory(server.database, Date.now);
    const times = checkInTimes(
      {
        ...server.database,
        unitOfWork: async (work) => {
          shown.push(times.pending(defaultTenant, id));
          if (fails) throw new Error('the disk is full');
          return server.database.unitOfWork(work);
        },
      },
      noteCheckIns,
    );
    times.note(defaultTenant, id, start);
    times.note(defaultTenant, randomUUID(), start);
    await assert.rejects(times.flush(), /the disk is full/);
    assert.equal(times.pending(defaultTenant, id), start);
    times.note(defaultTenant, id, start + minute);
    fails = false;
    await times.flush();
    assert.deepEqual(shown, [start, start + minute]);
    assert.deepEqual(await storedTimes(id), [start + minute, start + minute]);
    assert.equal(times.pending(defaultTenant, id), undefined);
  });

  it('leave others their turn while they are stored, until the server stops and waits for it', async () => {
    const store = async (pausesUntilHurry: number): Promise<number> => {
      let pauses = 0;
      const { noteCheckIns } = createInventory(server.database, Date.now);
      const times = checkInTimes(server.database, noteCheckIns, async () => {
        pauses += 1;
        if (pauses === pausesUntilHurry) times.hurry();
      });
      for (let count = 0; count < 1000; count += 1) times.note(defaultTenant, randomUUID(), start);
      await times.flush();
      return pauses;
    };
    assert.equal(await store(Number.POSITIVE_INFINITY), 4);
    assert.equal(await store(1), 1);
  });
});
