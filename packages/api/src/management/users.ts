import { Type, type Static } from 'typebox';
import { defineEndpoint, empty, json, jsonBody, jwt, optionalJsonBody } from '../endpoint.ts';
import { pagingQuery } from '../pagination.ts';

const base = '/api/management/v1/useradm';
const tag = 'management: users';
const user = { tag, audience: 'user' } as const;
const open = { tag, audience: 'none', permission: null } as const;
const readingUsers = { ...user, permission: 'users.read', auditAction: null } as const;
const writingUsers = { ...user, permission: 'users.write' } as const;
const ownAccount = { ...user, permission: 'own-account.write' } as const;

export const User = Type.Object({
  id: Type.String(),
  email: Type.String(),
  created_ts: Type.String(),
  updated_ts: Type.String(),
  login_ts: Type.Optional(Type.String()),
});
export type User = Static<typeof User>;

export const login = defineEndpoint({
  ...open,
  id: 'login',
  method: 'POST',
  path: `${base}/auth/login`,
  auditAction: 'user.login',
  summary: 'A token for e-mail and password, given as HTTP Basic',
  body: optionalJsonBody(
    Type.Object({ no_expiry: Type.Optional(Type.Boolean()), token2fa: Type.Optional(Type.String()) }),
  ),
  responses: { 200: jwt },
  errors: [400, 401, 415, 429],
});

export const logout = defineEndpoint({
  ...ownAccount,
  id: 'logout',
  method: 'POST',
  path: `${base}/auth/logout`,
  auditAction: 'user.logout',
  summary: 'End the session of the token',
  responses: { 202: empty },
  errors: [401],
});

export const getFirstAdministrator = defineEndpoint({
  ...open,
  id: 'getFirstAdministrator',
  method: 'GET',
  path: '/api/tandem/v1/first-administrator',
  auditAction: null,
  summary: 'Whether the server still waits for its first user',
  responses: { 200: json(Type.Object({ awaited: Type.Boolean() })) },
  errors: [],
});

export const redeemFirstAdministrator = defineEndpoint({
  ...open,
  id: 'redeemFirstAdministrator',
  method: 'POST',
  path: '/api/tandem/v1/first-administrator',
  auditAction: 'user.first-administrator',
  summary: "Make the first user, with the one-time token printed on the server's console",
  body: jsonBody(Type.Object({ token: Type.String(), email: Type.String(), password: Type.String() })),
  responses: { 201: empty },
  errors: [400, 401, 403, 415, 422, 429],
});

export const listUsers = defineEndpoint({
  ...readingUsers,
  id: 'listUsers',
  method: 'GET',
  path: `${base}/users`,
  summary: 'All users; times in Unix seconds',
  query: Type.Object({
    id: Type.Optional(Type.Array(Type.String())),
    email: Type.Optional(Type.Array(Type.String())),
    created_after: Type.Optional(Type.Integer()),
    created_before: Type.Optional(Type.Integer()),
    updated_after: Type.Optional(Type.Integer()),
    updated_before: Type.Optional(Type.Integer()),
  }),
  responses: { 200: json(Type.Array(User)) },
  errors: [400, 401],
});

const userId = Type.Object({ id: Type.String({ minLength: 1, description: 'a user id, or `me`' }) });

export const getUser = defineEndpoint({
  ...user,
  permission: 'own-account.read',
  auditAction: null,
  id: 'getUser',
  method: 'GET',
  path: `${base}/users/{id}`,
  summary: 'One user',
  params: userId,
  responses: { 200: json(User) },
  errors: [401, 403, 404],
});

export const createUser = defineEndpoint({
  ...writingUsers,
  id: 'createUser',
  method: 'POST',
  path: `${base}/users`,
  auditAction: 'user.create',
  summary: 'Make a user',
  body: jsonBody(Type.Object({ email: Type.String(), password: Type.String() })),
  responses: { 201: empty },
  errors: [400, 401, 415, 422],
});

export const UserUpdate = Type.Object({
  email: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  current_password: Type.Optional(Type.String()),
});
export type UserUpdate = Static<typeof UserUpdate>;

export const updateUser = defineEndpoint({
  ...ownAccount,
  id: 'updateUser',
  method: 'PUT',
  path: `${base}/users/{id}`,
  auditAction: 'user.update',
  summary: "Change a user's e-mail, or one's own password; all other tokens of the user end",
  params: userId,
  body: jsonBody(UserUpdate),
  responses: { 204: empty },
  errors: [400, 401, 403, 404, 409, 415, 422],
});

export const updateOwnUser = defineEndpoint({
  ...ownAccount,
  id: 'updateOwnUser',
  method: 'PUT',
  path: '/api/management/v2/useradm/users/me',
  auditAction: 'user.update',
  summary: "Change one's own password",
  body: jsonBody(
    Type.Object({ password: Type.Optional(Type.String()), current_password: Type.Optional(Type.String()) }),
  ),
  responses: { 204: empty },
  errors: [400, 401, 415, 422],
});

export const deleteUser = defineEndpoint({
  ...writingUsers,
  id: 'deleteUser',
  method: 'DELETE',
  path: `${base}/users/{id}`,
  auditAction: 'user.delete',
  summary: 'Remove a user and all of its tokens',
  params: userId,
  responses: { 204: empty },
  errors: [401],
});

/** Free form; how many keys and how long is bounded by the server (1024 keys of 128, strings of 4096). */
export const Settings = Type.Record(Type.String(), Type.Unknown());

const readingSettings = { ...user, permission: 'settings.read', auditAction: null, method: 'GET' } as const;
const settingsAnswer = { responses: { 200: json(Settings) }, errors: [401] } as const;
const settingsChange = {
  method: 'POST',
  body: jsonBody(Settings),
  responses: { 201: empty },
  errors: [400, 401, 412, 415],
} as const;

export const getSettings = defineEndpoint({
  ...readingSettings,
  ...settingsAnswer,
  id: 'getSettings',
  path: `${base}/settings`,
  summary: 'Settings of the whole tenant, with an ETag once there are any',
});

export const replaceSettings = defineEndpoint({
  ...user,
  ...settingsChange,
  permission: 'settings.write',
  auditAction: 'settings.replace',
  id: 'replaceSettings',
  path: `${base}/settings`,
  summary: 'Replace the settings of the whole tenant; If-Match guards against overwriting',
});

export const getOwnSettings = defineEndpoint({
  ...readingSettings,
  ...settingsAnswer,
  permission: 'own-account.read',
  id: 'getOwnSettings',
  path: `${base}/settings/me`,
  summary: "One's own settings",
});

export const replaceOwnSettings = defineEndpoint({
  ...ownAccount,
  ...settingsChange,
  auditAction: null,
  id: 'replaceOwnSettings',
  path: `${base}/settings/me`,
  summary: "Replace one's own settings",
});

export const PersonalAccessToken = Type.Object({
  id: Type.String(),
  name: Type.String(),
  last_used: Type.Optional(Type.String()),
  expiration_date: Type.Optional(Type.String()),
  created_ts: Type.String(),
});

export const createPersonalAccessToken = defineEndpoint({
  ...ownAccount,
  id: 'createPersonalAccessToken',
  method: 'POST',
  path: `${base}/settings/tokens`,
  auditAction: 'personal-access-token.create',
  summary: 'A token for programs, shown this once',
  body: jsonBody(
    Type.Object({
      name: Type.String({ minLength: 1, maxLength: 256 }),
      expires_in: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 31_536_000, description: 'seconds; 0 is never' }),
      ),
    }),
  ),
  responses: { 200: jwt },
  errors: [400, 401, 409, 415, 422],
});

export const listPersonalAccessTokens = defineEndpoint({
  ...user,
  permission: 'own-account.read',
  auditAction: null,
  id: 'listPersonalAccessTokens',
  method: 'GET',
  path: `${base}/settings/tokens`,
  summary: "One's own tokens, without their text",
  responses: { 200: json(Type.Array(PersonalAccessToken)) },
  errors: [401],
});

export const deletePersonalAccessToken = defineEndpoint({
  ...ownAccount,
  id: 'deletePersonalAccessToken',
  method: 'DELETE',
  path: `${base}/settings/tokens/{id}`,
  auditAction: 'personal-access-token.delete',
  summary: "Revoke one of one's own tokens",
  params: Type.Object({ id: Type.String({ minLength: 1 }) }),
  responses: { 204: empty },
  errors: [401],
});

const Features = Type.Object({
  rbac: Type.Boolean(),
  audit_logs: Type.Boolean(),
  dynamic_groups: Type.Boolean(),
  terminal: Type.Boolean(),
  file_transfer: Type.Boolean(),
  configuration: Type.Boolean(),
  monitoring: Type.Boolean(),
  reporting: Type.Boolean(),
});
export const Plan = Type.Object({ name: Type.String(), display_name: Type.String(), features: Features });
export type Plan = Static<typeof Plan>;

const readingPlans = { ...user, permission: 'own-account.read', auditAction: null, method: 'GET' } as const;

export const listPlans = defineEndpoint({
  ...readingPlans,
  id: 'listPlans',
  path: `${base}/plans`,
  summary: 'Plans there are: one',
  query: Type.Object(pagingQuery),
  responses: { 200: json(Type.Array(Plan)) },
  errors: [400, 401],
});

export const getPlanBinding = defineEndpoint({
  ...readingPlans,
  id: 'getPlanBinding',
  path: `${base}/plan_binding`,
  summary: 'What this server offers',
  responses: { 200: json(Type.Object({ plan: Plan })) },
  errors: [401],
});
