import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { defaultTenant, unbounded, type Actor } from '../actor.ts';
import { ServerError } from '../server-error.ts';
import { administrator, startWholeServer, type WholeServer } from '../testing/whole-server.ts';

const base = '/api/management/v1/useradm';

let server: WholeServer;
before(async () => {
  server = await startWholeServer();
});
after(() => server[Symbol.asyncDispose]());

const ask = (method: string, path: string, body?: unknown, { token = server.token, headers = {} } = {}) =>
  server.request(method, `${base}${path}`, { token, body, headers });
const errorOf = ({ json }: { json: unknown }) => (json as { error: string }).error;
const basic = (email: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${email}:${password}`).toString('base64')}`,
});
const logIn = (
  email: string,
  password: string,
  options: { body?: unknown; headers?: Record<string, string> } = {},
) =>
  server.request('POST', `${base}/auth/login`, {
    ...options,
    headers: { ...basic(email, password), ...options.headers },
  });
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

async function newUser(email: string, password = 'long enough'): Promise<string> {
  const { status, headers, text } = await ask('POST', '/users', { email, password });
  assert.equal(status, 201, text);
  return String(headers['location']).split('/').at(-1) ?? '';
}

describe('logging in', () => {
  it('gives a token for a week, whatever the case of the address', async () => {
    const answer = await logIn('ADMIN@example.com', administrator.password, {
      body: '',
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/jwt');
    const claims = claimsOf(answer.text);
    assert.equal(claims['iss'], 'mender.useradm');
    assert.equal(claims['scp'], 'mender.*');
    assert.equal(claims['mender.user'], true);
    assert.equal(Number(claims['exp']) - Number(claims['iat']), 604_800);
    assert.equal((await ask('GET', '/users/me', undefined, { token: answer.text })).status, 200);
  });

  it('without an end, when asked for', async () => {
    const { text } = await logIn(administrator.email, administrator.password, { body: { no_expiry: true } });
    assert.equal(claimsOf(text)['exp'], undefined);
    server.time.offsetMs = 10 * 365 * 86_400_000;
    assert.equal((await ask('GET', '/users/me', undefined, { token: text })).status, 200);
    assert.equal((await ask('GET', '/users/me')).status, 401, 'the other one has ended');
    server.time.offsetMs = 0;
  });

  it('is 401 for a wrong password, an unknown address and no Basic header', async () => {
    for (const answer of [
      await logIn(administrator.email, 'wrong'),
      await logIn('nobody@example.com', administrator.password),
    ]) {
      assert.deepEqual([answer.status, errorOf(answer)], [401, 'unauthorized']);
    }
    for (const headers of [{}, { authorization: 'Bearer x' }, { authorization: 'Basic ' }]) {
      const answer = await server.request('POST', `${base}/auth/login`, { headers });
      assert.deepEqual([answer.status, errorOf(answer)], [401, 'invalid or missing auth header']);
    }
    assert.equal((await logIn(administrator.email, administrator.password, { body: '{' })).status, 400);
  });

  it('is bounded: ten failures a minute for one address, and nobody else is held up', async () => {
    await newUser('slow@example.com');
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 11; attempt += 1)
      statuses.push((await logIn('slow@example.com', 'guess')).status);
    assert.deepEqual(statuses, [...Array<number>(10).fill(401), 429]);
    const bounded = await logIn('slow@example.com', 'long enough');
    assert.equal(bounded.status, 429);
    assert.ok(Number(bounded.headers['retry-after']) > 0);
    assert.equal((await logIn(administrator.email, administrator.password)).status, 200);
    server.time.offsetMs = 61_000;
    assert.equal((await logIn('slow@example.com', 'long enough')).status, 200);
    server.time.offsetMs = 0;
  });

  it('out again ends that session alone', async () => {
    const [one, other] = [await server.logIn(), await server.logIn()];
    assert.equal((await ask('POST', '/auth/logout', undefined, { token: one })).status, 202);
    assert.equal((await ask('GET', '/users/me', undefined, { token: one })).status, 401);
    assert.equal((await ask('GET', '/users/me', undefined, { token: other })).status, 200);
  });

  it('keeps ten sessions, the oldest end', async () => {
    await newUser('sessions@example.com');
    const user = { email: 'sessions@example.com', password: 'long enough' };
    const tokens: string[] = [];
    for (let session = 0; session < 11; session += 1) {
      server.time.offsetMs += 1;
      tokens.push(await server.logIn(user));
    }
    const statuses = await Promise.all(
      tokens.map(async (token) => (await ask('GET', '/users/me', undefined, { token })).status),
    );
    assert.deepEqual(statuses, [401, ...Array<number>(10).fill(200)]);
    server.time.offsetMs = 0;
  });
});

describe('users', () => {
  it('are made, read, listed and removed; their password is nowhere', async () => {
    const id = await newUser('Second@Example.com');
    const { json, text } = await ask('GET', `/users/${id}`);
    const user = json as { email: string; created_ts: string };
    assert.equal(user.email, 'second@example.com');
    assert.ok(!text.includes('argon2') && !text.includes('password'));
    const list = async (query: string) =>
      ((await ask('GET', `/users?${query}`)).json as { email: string }[]).map(({ email }) => email);
    assert.deepEqual(await list('email=SECOND@example.com'), ['second@example.com']);
    assert.deepEqual(await list(`id=${id}&id=unknown`), ['second@example.com']);
    const [past, future] = [-100, 100].map((seconds) => Math.floor(Date.now() / 1000) + seconds);
    for (const time of ['created', 'updated']) {
      assert.deepEqual(await list(`id=${id}&${time}_after=${past}&${time}_before=${future}`), [user.email]);
      assert.deepEqual(await list(`id=${id}&${time}_after=${future}`), []);
      assert.deepEqual(await list(`id=${id}&${time}_before=${past}`), []);
      assert.equal((await ask('GET', `/users?${time}_after=x`)).status, 400);
    }
    assert.ok(!('login_ts' in user));
    const token = await server.logIn({ email: 'second@example.com', password: 'long enough' });
    assert.ok('login_ts' in ((await ask('GET', `/users/${id}`)).json as object));
    assert.equal((await ask('DELETE', `/users/${id}`)).status, 204);
    assert.equal((await ask('DELETE', `/users/${id}`)).status, 204);
    assert.equal(
      (await ask('GET', '/users/me', undefined, { token })).status,
      401,
      'tokens go with the user',
    );
    const gone = await ask('GET', `/users/${id}`);
    assert.deepEqual([gone.status, errorOf(gone)], [404, 'user not found']);
  });

  for (const [what, body, status, message] of [
    ['no password', { email: 'a@b.c' }, 400, /password/],
    ['an address that is none', { email: 'nobody', password: 'long enough' }, 400, /^email: /],
    ['an address with a line end', { email: 'a@b.c\n', password: 'long enough' }, 400, /^email: /],
    ['a long address', { email: `${'a'.repeat(253)}@b.c`, password: 'long enough' }, 400, /^email: /],
    [
      'a short password',
      { email: 'a@b.c', password: '1234567' },
      422,
      /^password: must be minimum 8 characters long$/,
    ],
    ['a long password', { email: 'a@b.c', password: 'x'.repeat(257) }, 422, /^password: /],
    [
      'a password in the address',
      { email: 'password1@b.c', password: 'PASSWORD' },
      422,
      /^password is too similar to the email$/,
    ],
    [
      'an address that is taken',
      { email: administrator.email.toUpperCase(), password: 'long enough' },
      422,
      /^user with a given email already exists$/,
    ],
  ] as const) {
    it(`are refused with ${status} for ${what}`, async () => {
      const answer = await ask('POST', '/users', body);
      assert.equal(answer.status, status);
      assert.match(errorOf(answer), message);
    });
  }

  it('change their own password with the one they have; all their other tokens end', async () => {
    await newUser('own@example.com');
    const user = { email: 'own@example.com', password: 'long enough' };
    const [token, other] = [await server.logIn(user), await server.logIn(user)];
    const { text: program } = await ask('POST', '/settings/tokens', { name: 'ci' }, { token });
    const change = (body: unknown) => ask('PUT', '/users/me', body, { token });
    const wrong = await change({ password: 'new password', current_password: 'wrong' });
    assert.deepEqual([wrong.status, errorOf(wrong)], [422, 'current password mismatch']);
    assert.equal((await change({ email: 'new@example.com' })).status, 422, 'so does a change of address');
    const nothing = await change({});
    assert.deepEqual([nothing.status, errorOf(nothing)], [400, 'no update information provided']);
    assert.equal((await change({ password: 'new password', current_password: 'long enough' })).status, 204);
    assert.equal((await ask('GET', '/users/me', undefined, { token })).status, 200);
    for (const ended of [other, program])
      assert.equal((await ask('GET', '/users/me', undefined, { token: ended })).status, 401);
    assert.equal((await logIn(user.email, 'long enough')).status, 401);
    assert.equal((await logIn(user.email, 'new password')).status, 200);
  });

  it('may be given another address, not another password, and lose their tokens', async () => {
    const id = await newUser('third@example.com');
    const token = await server.logIn({ email: 'third@example.com', password: 'long enough' });
    const password = await ask('PUT', `/users/${id}`, { password: 'another one' });
    assert.deepEqual([password.status, errorOf(password)], [422, 'password cannot be modified']);
    assert.equal((await ask('PUT', `/users/${id}`, { email: administrator.email })).status, 422);
    assert.equal((await ask('PUT', `/users/${id}`, { email: 'moved@example.com' })).status, 204);
    assert.equal((await ask('GET', '/users/me', undefined, { token })).status, 401);
    assert.equal((await logIn('moved@example.com', 'long enough')).status, 200);
    assert.equal((await ask('PUT', '/users/unknown', { email: 'x@example.com' })).status, 404);
  });

  it('refuse a password that resembles the address they have, get, or change alone', async () => {
    await newUser('resembling@example.com', 'uncommon words');
    const token = await server.logIn({ email: 'resembling@example.com', password: 'uncommon words' });
    for (const change of [
      { password: 'resembling' },
      { email: 'other-address@example.com', password: 'resembling' },
      { email: 'other-address@example.com', password: 'other-address' },
      { email: 'uncommon@example.com', password: 'uncommon' },
    ]) {
      const body = { ...change, current_password: 'uncommon words' };
      const answer = await ask('PUT', '/users/me', body, { token });
      assert.deepEqual([answer.status, errorOf(answer)], [422, 'password is too similar to the email']);
    }
    await newUser('plain@example.com', 'dull-password');
    const plain = await server.logIn({ email: 'plain@example.com', password: 'dull-password' });
    const alone = { email: 'my-dull-password@example.com', current_password: 'dull-password' };
    const answer = await ask('PUT', '/users/me', alone, { token: plain });
    assert.deepEqual([answer.status, errorOf(answer)], [422, 'password is too similar to the email']);
  });

  it('keep the first of two changes at once; the other is a conflict', async () => {
    const id = await newUser('twice@example.com');
    const self: Actor = { tenant: defaultTenant, subject: { kind: 'user', id }, scope: unbounded };
    const change = (password: string) =>
      server.server.users.update(self, id, { password, current_password: 'long enough' }, undefined);
    const outcomes = await Promise.allSettled([change('first of two'), change('second of two')]);
    const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    assert.equal(refused.length, 1);
    assert.ok(refused[0] instanceof ServerError && refused[0].code === 'conflict');
  });

  it('v2: one changes the own password, and an empty change is none', async () => {
    await newUser('v2@example.com');
    const token = await server.logIn({ email: 'v2@example.com', password: 'long enough' });
    const change = (body: unknown) =>
      server.request('PUT', '/api/management/v2/useradm/users/me', { token, body });
    assert.equal((await change({})).status, 204);
    assert.equal((await change({ password: 'v2 password', current_password: 'wrong' })).status, 422);
    assert.equal((await change({ password: 'v2 password', current_password: 'long enough' })).status, 204);
  });
});

describe('settings', () => {
  for (const path of ['/settings', '/settings/me']) {
    it(`${path} are free, replaced as a whole, and guarded by If-Match`, async () => {
      const empty = await ask('GET', path);
      assert.deepEqual([empty.json, empty.headers['etag']], [{}, undefined]);
      const first = await ask('POST', path, { columns: ['a'], nested: { b: 1 }, etag: 'x', _id: 'y' });
      assert.deepEqual([first.status, first.text], [201, '']);
      const stored = await ask('GET', path);
      assert.deepEqual(stored.json, { columns: ['a'], nested: { b: 1 } });
      const headers = { 'if-match': String(stored.headers['etag']) };
      assert.equal((await ask('POST', path, { c: 2 }, { headers })).status, 201);
      const late = await ask('POST', path, { d: 3 }, { headers });
      assert.deepEqual([late.status, errorOf(late)], [412, "ETag doesn't match"]);
      assert.deepEqual((await ask('GET', path)).json, { c: 2 });
    });
  }

  it('are bounded', async () => {
    const keys = Object.fromEntries(Array.from({ length: 1025 }, (_, index) => [`k${index}`, 1]));
    for (const body of [keys, { ['k'.repeat(129)]: 1 }, { a: 'x'.repeat(4097) }]) {
      assert.equal((await ask('POST', '/settings/me', body)).status, 400);
    }
  });

  it('of one are not those of another', async () => {
    await newUser('settings@example.com');
    const token = await server.logIn({ email: 'settings@example.com', password: 'long enough' });
    assert.deepEqual((await ask('GET', '/settings/me', undefined, { token })).json, {});
    assert.deepEqual((await ask('GET', '/settings', undefined, { token })).json, { c: 2 });
  });
});

describe('personal access tokens', () => {
  it('are shown once, listed without their text, used, and revoked', async () => {
    const made = await ask('POST', '/settings/tokens', { name: 'ci', expires_in: 3600 });
    assert.equal(made.status, 200);
    const token = made.text;
    assert.equal((await ask('GET', '/users/me', undefined, { token })).status, 200);
    const list = (await ask('GET', '/settings/tokens')).json as {
      id: string;
      name: string;
      last_used?: string;
    }[];
    assert.equal(list[0]?.name, 'ci');
    assert.ok(list[0]?.last_used);
    assert.ok(!JSON.stringify(list).includes(token));
    assert.equal((await ask('POST', '/settings/tokens', { name: 'ci' })).status, 409);
    assert.equal((await ask('POST', '/settings/tokens', { name: '' })).status, 400);
    assert.equal((await ask('POST', '/settings/tokens', { name: 'x', expires_in: 31_536_001 })).status, 400);
    server.time.offsetMs = 3_601_000;
    assert.equal((await ask('GET', '/users/me', undefined, { token })).status, 401);
    server.time.offsetMs = 0;
    assert.equal((await ask('DELETE', `/settings/tokens/${list[0]?.id}`)).status, 204);
    assert.equal((await ask('GET', '/users/me', undefined, { token })).status, 401);
  });

  it('end a session, too, when asked to by its id, and nothing for an id that is none', async () => {
    const session = await server.logIn();
    for (const id of ['unknown', String(claimsOf(session)['jti'])]) {
      assert.equal((await ask('DELETE', `/settings/tokens/${id}`)).status, 204);
    }
    assert.equal((await ask('GET', '/users/me', undefined, { token: session })).status, 401);
    assert.equal((await ask('GET', '/users/me')).status, 200);
  });

  it('are at most ten', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 11; n += 1)
      statuses.push((await ask('POST', '/settings/tokens', { name: `t${n}` })).status);
    assert.deepEqual(statuses, [...Array<number>(10).fill(200), 422]);
    // The reference's own spelling.
    const answer = await ask('POST', '/settings/tokens', { name: 'one more' });
    assert.equal(errorOf(answer), 'maximum number of personal acess tokens reached for this user');
  });
});

it('the plan is there under the name clients look for', async () => {
  const { json } = await ask('GET', '/plan_binding');
  assert.equal((json as { plan: { name: string } }).plan.name, 'Mender_Open_Source');
  assert.equal(((await ask('GET', '/plans')).json as unknown[]).length, 1);
  assert.deepEqual((await ask('GET', '/plans?page=2')).json, []);
  assert.equal((await ask('GET', '/plans?page=0')).status, 400);
});
