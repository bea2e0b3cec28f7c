import { randomUUID } from 'node:crypto';
import type { Actor, Scope, Tenant } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import { isUniqueViolation } from '../database/sql-differences.ts';
import type { Database } from '../database/open-database.ts';
import { ServerError } from '../server-error.ts';
import type { Claims, Proven } from '../tokens/json-web-token.ts';
import { userStore, type UserRow, type UserTokenRow } from './user-store.ts';

/** What a user may see; asked at each request, so that a change counts at once. */
export type ScopeOfUser = (tenant: Tenant, userId: string) => Promise<Scope>;

export type UserTokens = ReturnType<typeof createUserTokens>;

const lifetimeSeconds = 604_800;
const maxSessions = 10;
const maxPersonalTokens = 10;
/** How exactly the last use of a personal token is known. */
const useGranularityMs = 300_000;

/** Sessions and personal access tokens (server contract 5.1, 5.5). A token counts as long as its row is there. */
export function createUserTokens(
  database: Database,
  clock: Clock,
  sign: (claims: Claims) => string,
  scopeOfUser: ScopeOfUser,
) {
  const claimsOf = (
    tenant: Tenant,
    userId: string,
    jti: string,
    { created, expires }: { readonly created: number; readonly expires: number | undefined },
  ): Claims => {
    const issued = Math.floor(created / 1000);
    return {
      jti,
      sub: userId,
      iss: 'mender.useradm',
      iat: issued,
      nbf: issued,
      ...(expires === undefined ? {} : { exp: Math.floor(expires / 1000) }),
      scp: 'mender.*',
      'mender.user': true,
      'mender.tenant': tenant,
    };
  };

  return {
    /** A new session; the oldest beyond ten end. */
    logIn: ({ tenant, id: user_id }: UserRow, noExpiry: boolean): Promise<string> =>
      database.unitOfWork(async (tx) => {
        const store = userStore.forTenant(tenant);
        const now = clock();
        const expires = noExpiry ? undefined : now + lifetimeSeconds * 1000;
        const id = randomUUID();
        await store.insertToken(tx, {
          id,
          user_id,
          kind: 'session',
          name: null,
          created: now,
          expires: expires ?? null,
          last_used: null,
        });
        const others = (await store.tokens(tx, user_id, 'session')).filter((session) => session.id !== id);
        const surplus = Math.max(0, others.length - (maxSessions - 1));
        for (const session of others.slice(0, surplus)) await store.deleteToken(tx, user_id, session.id);
        await store.updateUser(tx, user_id, { login: now });
        return sign(claimsOf(tenant, user_id, id, { created: now, expires }));
      }),

    logOut: async ({ tenant, subject }: Actor, id: string): Promise<void> => {
      await database.unitOfWork((tx) => userStore.forTenant(tenant).deleteToken(tx, subject.id, id));
    },

    /** The actor of a proven token, or undefined when it does not count any more. */
    actorOf: async ({ jti, sub, scp, 'mender.tenant': tenant }: Proven): Promise<Actor | undefined> => {
      if (tenant === undefined || scp !== 'mender.*') return undefined;
      const store = userStore.forTenant(tenant);
      const token = await store.token(database.read, jti);
      if (token?.user_id !== sub) return undefined;
      const now = clock();
      if (token.kind === 'personal' && now - (token.last_used ?? 0) > useGranularityMs) {
        await database.unitOfWork((tx) => store.touchToken(tx, jti, now));
      }
      return { tenant, subject: { kind: 'user', id: sub }, scope: await scopeOfUser(tenant, sub) };
    },

    personalTokens: ({ tenant, subject }: Actor): Promise<UserTokenRow[]> =>
      userStore.forTenant(tenant).tokens(database.read, subject.id, 'personal'),

    /** Throws `conflict` for a name that is taken, `unprocessable` above ten. Returns the token, which is not kept. */
    createPersonalToken: (actor: Actor, name: string, expiresInSeconds: number): Promise<string> =>
      database.unitOfWork(async (tx) => {
        const { tenant, subject } = actor;
        const store = userStore.forTenant(tenant);
        if ((await store.tokens(tx, subject.id, 'personal')).length >= maxPersonalTokens) {
          throw new ServerError(
            'unprocessable',
            'maximum number of personal acess tokens reached for this user',
          );
        }
        const now = clock();
        const expires = expiresInSeconds === 0 ? undefined : now + expiresInSeconds * 1000;
        const id = randomUUID();
        try {
          await store.insertToken(tx, {
            id,
            user_id: subject.id,
            kind: 'personal',
            name,
            created: now,
            expires: expires ?? null,
            last_used: null,
          });
        } catch (cause) {
          if (!isUniqueViolation(cause)) throw cause;
          throw new ServerError('conflict', 'a personal access token with this name exists already', {
            cause,
          });
        }
        await recordChange(tx, actor, { kind: 'personal-access-token.create', ref: id, time: now });
        return sign(claimsOf(tenant, subject.id, id, { created: now, expires }));
      }),

    /** A token that is not there is gone already; a session ends as well. */
    deleteToken: (actor: Actor, id: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        if (!(await userStore.forTenant(actor.tenant).deleteToken(tx, actor.subject.id, id))) return;
        await recordChange(tx, actor, { kind: 'personal-access-token.delete', ref: id, time: clock() });
      }),
  };
}
