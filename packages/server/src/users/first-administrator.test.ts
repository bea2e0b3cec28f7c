import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { defaultTenant, systemActor } from '../actor.ts';
import type { Database } from '../database/open-database.ts';
import { everyDatabase } from '../testing/every-database.ts';
import { firstAdministrator } from './first-administrator.ts';
import { createUsers, type Users } from './users.ts';

const actor = systemActor(defaultTenant, 'test');
const user = (email: string) => ({ email, password: 'long enough' });

describe('the first administrator', () => {
  let directory: string;
  let database: Database;
  let users: Users;
  let now: number;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tandem-first-'));
    database = await everyDatabase.open(directory, Date.now);
    now = 1_000_000;
    users = createUsers(database, () => now);
  });
  afterEach(async () => {
    await database.close();
    await rm(directory, { recursive: true });
  });

  it('is made once, by the token of the console', async () => {
    const door = firstAdministrator(users, () => now);
    const { token = '' } = (await door.open()) ?? {};
    await assert.rejects(door.redeem('wrong', user('a@b.c')), { code: 'unauthorized' });
    assert.equal(await door.isAwaited(), true);
    await door.redeem(token, user('a@b.c'));
    assert.equal(await door.isAwaited(), false);
    await assert.rejects(door.redeem(token, user('d@e.f')), { code: 'forbidden' });
    assert.equal(await door.open(), undefined);
  });

  it('has one winner among many at once', async () => {
    const door = firstAdministrator(users, () => now);
    const { token = '' } = (await door.open()) ?? {};
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((name) => door.redeem(token, user(`${name}@b.c`))),
    );
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal((await users.list(actor, everybody)).length, 1);
  });

  it('cannot be made after half an hour, nor before the door was opened', async () => {
    const door = firstAdministrator(users, () => now);
    await assert.rejects(door.redeem('', user('a@b.c')), { code: 'forbidden' });
    const { token = '' } = (await door.open()) ?? {};
    now += 30 * 60_000 + 1;
    await assert.rejects(door.redeem(token, user('a@b.c')), { code: 'forbidden' });
  });

  it('cannot be made once the command line has made a user, even if that user is gone again', async () => {
    const door = firstAdministrator(users, () => now);
    const { token = '' } = (await door.open()) ?? {};
    const id = await users.create(actor, user('x@y.z'));
    await assert.rejects(door.redeem(token, user('a@b.c')), { code: 'forbidden' });
    await users.delete(actor, id);
    await assert.rejects(door.redeem(token, user('a@b.c')), { code: 'forbidden' });
  });
});

const everybody = {
  ids: [],
  emails: [],
  createdAfter: undefined,
  createdBefore: undefined,
  updatedAfter: undefined,
  updatedBefore: undefined,
};
