import { mkdir } from 'node:fs/promises';
import { defaultTenant, systemActor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { openSqliteDatabase } from '../database/open-database.ts';
import { createUsers, type NewUser } from '../users/users.ts';
import { databasePath } from './data-directory.ts';

/** Makes a user, whether a server is running on the data directory or not; returns the id. */
export async function createUserCommand(dataDirectory: string, user: NewUser, clock: Clock): Promise<string> {
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const database = await openSqliteDatabase(databasePath(dataDirectory), clock);
  try {
    return await createUsers(database, clock).create(systemActor(defaultTenant, 'command-line'), user);
  } finally {
    await database.close();
  }
}
