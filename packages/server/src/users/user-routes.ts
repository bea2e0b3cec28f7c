import {
  createPersonalAccessToken,
  createUser,
  deletePersonalAccessToken,
  deleteUser,
  getOwnSettings,
  getPlanBinding,
  getSettings,
  getFirstAdministrator,
  getUser,
  listPersonalAccessTokens,
  listPlans,
  listUsers,
  login,
  logout,
  pageOf,
  redeemFirstAdministrator,
  replaceOwnSettings,
  replaceSettings,
  updateOwnUser,
  updateUser,
  type Permission,
  type User,
} from '@tandem/api';
import type { Actor } from '../actor.ts';
import { rfc3339 } from '../clock.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import { basicCredentials } from './basic-credentials.ts';
import type { FirstAdministrator } from './first-administrator.ts';
import type { LoginRate } from './login-rate.ts';
import { plan, plans } from './plans.ts';
import type { Settings } from './settings.ts';
import type { UserRow } from './user-store.ts';
import type { UserTokens } from './user-tokens.ts';
import type { Users } from './users.ts';

export interface UserRouteNeeds {
  readonly users: Users;
  readonly tokens: UserTokens;
  readonly settings: Settings;
  readonly firstAdministrator: FirstAdministrator;
  readonly rate: LoginRate;
  readonly isAllowed: (actor: Actor, permission: Permission) => boolean;
}

/** Server contract 5. */
export function registerUserRoutes(register: RegisterRoute, needs: UserRouteNeeds): void {
  registerSessions(register, needs);
  registerUsers(register, needs);
  registerSettings(register, needs.settings);
  registerPersonalTokens(register, needs.tokens);
  register(listPlans, async ({ query }) => {
    const { offset, perPage } = pageOf(query);
    return { status: 200, body: plans.slice(offset, offset + perPage) };
  });
  register(getPlanBinding, async () => ({ status: 200, body: { plan } }));
}

function registerSessions(
  register: RegisterRoute,
  { users, tokens, rate, firstAdministrator }: UserRouteNeeds,
): void {
  register(login, async ({ headers, body, remoteAddress }) => {
    const { email, password } = basicCredentials(headers.authorization);
    const user = await rate.attempt(`${remoteAddress} ${email.toLowerCase()}`, async () => {
      const found = await users.withPassword(email, password);
      if (found === undefined) throw new ServerError('unauthorized', 'unauthorized');
      return found;
    });
    return { status: 200, body: await tokens.logIn(user, body?.no_expiry ?? false) };
  });

  register(logout, async ({ actor, tokenId }) => {
    await tokens.logOut(actor, tokenId ?? '');
    return { status: 202 };
  });

  register(getFirstAdministrator, async () => ({
    status: 200,
    body: { awaited: await firstAdministrator.isAwaited() },
  }));

  register(redeemFirstAdministrator, async ({ body: { token, email, password } }) => {
    const id = await rate.attempt('first administrator', () =>
      firstAdministrator.redeem(token, { email, password }),
    );
    return { status: 201, headers: { location: `/api/management/v1/useradm/users/${id}` } };
  });
}

function registerUsers(register: RegisterRoute, { users, isAllowed }: UserRouteNeeds): void {
  /** `me`, or one's own id; whoever means another needs the permission for it. */
  const target = (actor: Actor, id: string, permission: Permission): string => {
    if (id === 'me' || id === actor.subject.id) return actor.subject.id;
    if (!isAllowed(actor, permission))
      throw new ServerError('forbidden', `this needs the permission ${permission}`);
    return id;
  };

  register(listUsers, async ({ actor, query }) => {
    const seconds = (value: number | undefined) => (value === undefined ? undefined : value * 1000);
    const found = await users.list(actor, {
      ids: query.id ?? [],
      emails: (query.email ?? []).map((email) => email.toLowerCase()),
      createdAfter: seconds(query.created_after),
      createdBefore: seconds(query.created_before),
      updatedAfter: seconds(query.updated_after),
      updatedBefore: seconds(query.updated_before),
    });
    return { status: 200, body: found.map(userView) };
  });

  register(getUser, async ({ actor, params }) => {
    const user = await users.get(actor, target(actor, params.id, 'users.read'));
    if (user === undefined) throw new ServerError('notFound', 'user not found');
    return { status: 200, body: userView(user) };
  });

  register(createUser, async ({ actor, body, url }) => {
    const id = await users.create(actor, body);
    return { status: 201, headers: { location: `${url.split('?', 1)[0]}/${id}` } };
  });

  register(updateUser, async ({ actor, params, body, tokenId }) => {
    if (body.email === undefined && body.password === undefined) {
      throw new ServerError('badRequest', 'no update information provided');
    }
    await users.update(actor, target(actor, params.id, 'users.write'), body, tokenId);
    return { status: 204 };
  });

  register(updateOwnUser, async ({ actor, body, tokenId }) => {
    if (body.password !== undefined) await users.update(actor, actor.subject.id, body, tokenId);
    return { status: 204 };
  });

  register(deleteUser, async ({ actor, params }) => {
    await users.delete(actor, params.id);
    return { status: 204 };
  });
}

function registerSettings(register: RegisterRoute, settings: Settings): void {
  register(getSettings, async ({ actor }) => {
    const { etag, value } = await settings.get(actor, 'tenant');
    return { status: 200, headers: etag === undefined ? {} : { etag }, body: value };
  });

  register(getOwnSettings, async ({ actor }) => {
    const { etag, value } = await settings.get(actor, 'caller');
    return { status: 200, headers: etag === undefined ? {} : { etag }, body: value };
  });

  register(replaceSettings, async ({ actor, body, headers }) => {
    await settings.replace(actor, 'tenant', body, headers['if-match']);
    return { status: 201 };
  });

  register(replaceOwnSettings, async ({ actor, body, headers }) => {
    await settings.replace(actor, 'caller', body, headers['if-match']);
    return { status: 201 };
  });
}

function registerPersonalTokens(register: RegisterRoute, tokens: UserTokens): void {
  register(createPersonalAccessToken, async ({ actor, body }) => ({
    status: 200,
    body: await tokens.createPersonalToken(actor, body.name, body.expires_in ?? 0),
  }));

  register(listPersonalAccessTokens, async ({ actor }) => ({
    status: 200,
    body: (await tokens.personalTokens(actor)).map(({ id, name, created, expires, last_used: lastUsed }) => ({
      id,
      name: name ?? '',
      created_ts: rfc3339(created),
      ...(expires === null ? {} : { expiration_date: rfc3339(expires) }),
      ...(lastUsed === null ? {} : { last_used: rfc3339(lastUsed) }),
    })),
  }));

  register(deletePersonalAccessToken, async ({ actor, params }) => {
    await tokens.deleteToken(actor, params.id);
    return { status: 204 };
  });
}

const userView = ({ id, email, created, updated, login: lastLogin }: UserRow): User => ({
  id,
  email,
  created_ts: rfc3339(created),
  updated_ts: rfc3339(updated),
  ...(lastLogin === null ? {} : { login_ts: rfc3339(lastLogin) }),
});
