import { randomUUID } from 'node:crypto';
import type { UserUpdate } from '@tandem/api';
import { systemActor, type Actor, type Tenant } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import { isUniqueViolation } from '../database/sql-differences.ts';
import type { Database } from '../database/open-database.ts';
import type { Transaction } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { assertDissimilar, assertPassword, readEmail } from './account-rules.ts';
import { hashPassword, isPassword } from './password.ts';
import { userByEmail, userStore, type UserFilter, type UserRow } from './user-store.ts';

export interface NewUser {
  readonly email: string;
  readonly password: string;
}

export type Users = ReturnType<typeof createUsers>;

/** The rules of server contract 5.3: people and their passwords. */
export function createUsers(database: Database, clock: Clock) {
  const prepared = async ({ email: given, password }: NewUser): Promise<Omit<UserRow, 'tenant'>> => {
    const email = readEmail(given);
    assertPassword(password, [email]);
    const now = clock();
    const password_hash = await hashPassword(password);
    return { id: randomUUID(), email, password_hash, created: now, updated: now, login: null };
  };

  const insert = async (tx: Transaction, actor: Actor, user: Omit<UserRow, 'tenant'>): Promise<void> => {
    await uniqueEmail(userStore.forTenant(actor.tenant).insertUser(tx, user));
    await recordChange(tx, actor, { kind: 'user.create', ref: user.id, time: clock() });
  };

  return {
    list: ({ tenant }: Actor, filter: UserFilter): Promise<UserRow[]> =>
      userStore.forTenant(tenant).users(database.read, filter),

    get: ({ tenant }: Actor, id: string): Promise<UserRow | undefined> =>
      userStore.forTenant(tenant).user(database.read, id),

    /** Throws `badRequest` (address), `unprocessable` (password, or the address is taken). Returns the id. */
    create: async (actor: Actor, given: NewUser): Promise<string> => {
      const user = await prepared(given);
      await database.unitOfWork(async (tx) => {
        await insert(tx, actor, user);
        // Whoever comes first, by whatever way, closes the door for first administrators.
        await userStore.forTenant(actor.tenant).claimFirstAdministrator(tx, user.id, clock());
      });
      return user.id;
    },

    /** Whether the first administrator may still be made. */
    isWithoutUsers: async (tenant: Tenant): Promise<boolean> => {
      const store = userStore.forTenant(tenant);
      return !(await store.hasUsers(database.read)) && !(await store.hasFirstAdministrator(database.read));
    },

    /** Makes the first user there is; undefined when somebody was faster. */
    createFirst: async (tenant: Tenant, given: NewUser): Promise<string | undefined> => {
      const user = await prepared(given);
      return database.unitOfWork(async (tx) => {
        const store = userStore.forTenant(tenant);
        if (await store.hasUsers(tx)) return undefined;
        if (!(await store.claimFirstAdministrator(tx, user.id, clock()))) return undefined;
        await insert(tx, systemActor(tenant, 'first-administrator'), user);
        return user.id;
      });
    },

    /**
     * Changes a user; `keepToken` is the caller's own, all others of the user end.
     * Throws `notFound`, `unprocessable`, or `conflict` when the user was changed meanwhile.
     */
    update: async (
      actor: Actor,
      id: string,
      change: UserUpdate,
      keepToken: string | undefined,
    ): Promise<void> => {
      const store = userStore.forTenant(actor.tenant);
      const user = await store.user(database.read, id);
      if (user === undefined) throw new ServerError('notFound', 'user not found');
      const isSelf = actor.subject.kind === 'user' && actor.subject.id === id;
      const fields = await changedFields(user, change, isSelf);
      await database.unitOfWork(async (tx) => {
        const current = await store.user(tx, id);
        // Hashing took its time outside of the unit of work; what it was based on must still hold.
        if (current?.password_hash !== user.password_hash || current.email !== user.email) {
          throw new ServerError('conflict', 'the user was changed meanwhile; try again');
        }
        await uniqueEmail(store.updateUser(tx, id, { ...fields, updated: clock() }));
        await store.deleteOtherTokens(tx, id, isSelf ? keepToken : undefined);
        await recordChange(tx, actor, { kind: 'user.update', ref: id, time: clock() });
      });
    },

    /** A user that is not there is gone already. */
    delete: (actor: Actor, id: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        if (!(await userStore.forTenant(actor.tenant).deleteUser(tx, id))) return;
        await recordChange(tx, actor, { kind: 'user.delete', ref: id, time: clock() });
      }),

    /** The user with this address and password, or undefined; takes as long for an address nobody has. */
    withPassword: async (email: string, password: string): Promise<UserRow | undefined> => {
      const user = await userByEmail(database.read, email.toLowerCase());
      const isRight = await isPassword(password, user?.password_hash ?? (await nobody()));
      return isRight ? user : undefined;
    },
  };
}

async function changedFields(
  user: UserRow,
  { email, password, current_password: currentPassword }: UserUpdate,
  isSelf: boolean,
): Promise<Partial<UserRow>> {
  if (password !== undefined && !isSelf)
    throw new ServerError('unprocessable', 'password cannot be modified');
  if (isSelf && (currentPassword === undefined || !(await isPassword(currentPassword, user.password_hash)))) {
    throw new ServerError('unprocessable', 'current password mismatch');
  }
  const newEmail = email === undefined ? undefined : readEmail(email);
  const emails = newEmail === undefined ? [user.email] : [user.email, newEmail];
  if (password !== undefined) assertPassword(password, emails);
  else if (newEmail !== undefined && currentPassword !== undefined)
    assertDissimilar(currentPassword, [newEmail]);
  return {
    ...(newEmail === undefined ? {} : { email: newEmail }),
    ...(password === undefined ? {} : { password_hash: await hashPassword(password) }),
  };
}

async function uniqueEmail(write: Promise<void>): Promise<void> {
  try {
    await write;
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    throw new ServerError('unprocessable', 'user with a given email already exists', { cause });
  }
}

// A hash no password has, so that an unknown address costs the same time as a known one.
const nobody = async (): Promise<string> =>
  `$argon2id$v=19$m=19456,t=2,p=1$${Buffer.alloc(16).toString('base64').replace(/=+$/, '')}$${Buffer.alloc(32)
    .toString('base64')
    .replace(/=+$/, '')}`;
