import { randomBytes } from 'node:crypto';
import type { Tenant } from '../actor.ts';
import type { Clock } from '../clock.ts';
import type { Database } from './open-database.ts';

/** Makes a tenant. Nothing calls it from outside yet; that tenants do not see each other is tested with it. */
export async function createTenant(database: Database, clock: Clock, name: string): Promise<Tenant> {
  const id = randomBytes(12).toString('hex');
  await database.unitOfWork(async (tx) => {
    await tx.insertInto('tenants').values({ id, name, created: clock() }).execute();
  });
  return id;
}
