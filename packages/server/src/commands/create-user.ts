import { defaultTenant, systemActor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/open-database.ts';
import { createUsers, type NewUser } from '../users/users.ts';

/** Makes a user, whether a server is running on the database or not; closes it and returns the id. */
export async function createUserCommand(database: Database, user: NewUser, clock: Clock): Promise<string> {
  try {
    return await createUsers(database, clock).create(systemActor(defaultTenant, 'command-line'), user);
  } finally {
    await database.close();
  }
}
