import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createTenant } from '../database/tenants.ts';
import { acceptedDevice, startWholeServer, type WholeServer } from '../testing/whole-server.ts';
import { readFile } from 'node:fs/promises';
import { globSync } from 'node:fs';
import { changedThing } from './change-kinds.ts';

const path = '/api/tandem/v1/changes';

interface Event {
  readonly id: number;
  readonly kind: string;
  readonly ref: string;
}

describe('the stream of changes', () => {
  let server: WholeServer;
  let url: string;
  before(async () => {
    server = await startWholeServer();
    url = await server.server.listen({ host: '127.0.0.1', port: 0 });
  });
  after(() => server[Symbol.asyncDispose]());

  const open = async (token: string, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(`${url}${path}`, {
      headers: { authorization: `Bearer ${token}`, ...headers },
      signal: AbortSignal.timeout(20_000),
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    return eventsOf(response.body ?? assert.fail('no body'));
  };
  const configure = (id: string, token = server.token) =>
    server.request('PUT', `/api/management/v1/deviceconfig/configurations/device/${id}`, { token, body: {} });

  it('tells what happens from now on, in order, and who did it', async () => {
    await configure('before');
    const stream = await open(server.token);
    assert.equal(await stream.next(), 'connected');
    await configure('first');
    await configure('second');
    const [first, second] = [await nextEvent(stream), await nextEvent(stream)];
    assert.deepEqual(
      [first.kind, first.ref, second.ref],
      ['device-configuration.updated', 'first', 'second'],
    );
    assert.ok(second.id > first.id);
    await stream.end();
  });

  it('goes on after the last event that was seen, and misses none', async () => {
    const stream = await open(server.token);
    await stream.next();
    await configure('seen');
    const { id } = await nextEvent(stream);
    await stream.end();
    for (const name of ['a', 'b', 'c']) await configure(name);
    const again = await open(server.token, { 'last-event-id': String(id) });
    await again.next();
    const refs = [await nextEvent(again), await nextEvent(again), await nextEvent(again)].map(
      ({ ref }) => ref,
    );
    assert.deepEqual(refs, ['a', 'b', 'c']);
    await again.end();
  });

  it('brings a reader that was away for long all of it, batch by batch', async () => {
    const { sequence } = (await server.database.read
      .selectFrom('change_log')
      .select((select) => select.fn.max('sequence').as('sequence'))
      .executeTakeFirstOrThrow()) as { sequence: number };
    for (let number = 0; number < 450; number += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, index) => configure(`many-${number + index}`)));
    }
    const stream = await open(server.token, { 'last-event-id': String(sequence) });
    await stream.next();
    const refs = new Set<string>();
    while (refs.size < 450) refs.add((await nextEvent(stream)).ref);
    assert.ok([...refs].every((ref) => ref.startsWith('many-')));
    await stream.end();
  });

  it("does not tell another tenant's", async () => {
    const tenant = await createTenant(server.database, Date.now, 'other');
    const foreign = await server.userOf(tenant, { email: 'else@example.org', password: 'another password' });
    const stream = await open(foreign, { 'last-event-id': '0' });
    await stream.next();
    const own = await nextEvent(stream);
    assert.equal(own.kind, 'user.create');
    await configure('hidden');
    await configure('mine', foreign);
    assert.equal((await nextEvent(stream)).ref, 'mine');
    await stream.end();
  });

  it('ends when the token is revoked, before anything more is told', async () => {
    const token = await server.logIn();
    const stream = await open(token);
    await stream.next();
    await server.request('POST', '/api/management/v1/useradm/auth/logout', { token });
    await configure('too late');
    assert.equal(await stream.next(), 'ended');
  });

  it('ends soon when the token is revoked, also when nothing happens', async () => {
    const token = await server.logIn();
    const stream = await open(token);
    await stream.next();
    await server.request('POST', '/api/management/v1/useradm/auth/logout', { token });
    assert.equal(await stream.next(), 'ended');
  });

  it('is refused without a good token, to devices, and for an id that is none', async () => {
    const { token: device } = await acceptedDevice(server, { sn: '1' });
    const status = async (token: string | undefined, headers = {}) =>
      (await server.request('GET', path, { token, headers })).status;
    assert.equal(await status(undefined), 401);
    assert.equal(await status(device), 401);
    assert.equal(await status(server.token, { 'last-event-id': 'x' }), 400);
    assert.equal((await server.request('GET', `${path}?after=-1`, { token: server.token })).status, 400);
    assert.equal((await server.request('HEAD', path, { token: server.token })).status, 200);
  });

  it('ends when the server stops, which does not wait for it', async () => {
    const other = await startWholeServer();
    const address = await other.server.listen({ host: '127.0.0.1', port: 0 });
    const response = await fetch(`${address}${path}`, {
      headers: { authorization: `Bearer ${other.token}` },
    });
    const stream = eventsOf(response.body ?? assert.fail('no body'));
    await stream.next();
    await other[Symbol.asyncDispose]();
    assert.equal(await stream.next(), 'ended');
  });
});

describe('what a change is of', () => {
  it('has its permission, for every kind that is recorded anywhere', async () => {
    const kinds = new Set<string>();
    for (const file of globSync('../**/*.ts', { cwd: import.meta.dirname })) {
      if (file.endsWith('.test.ts')) continue;
      const text = await readFile(new URL(file, import.meta.url), 'utf8');
      for (const [, kind] of text.matchAll(/kind: ['`]([a-z-]+\.)/g)) if (kind !== undefined) kinds.add(kind);
    }
    assert.ok(kinds.size > 10);
    assert.deepEqual(
      [...kinds].filter((kind) => changedThing(kind) === undefined),
      [],
    );
    assert.equal(changedThing('constructor.x'), undefined);
  });
});

type Stream = ReturnType<typeof eventsOf>;

/** Each `next` is one event, or `connected` for the first lines, or `ended`. */
function eventsOf(body: ReadableStream<Uint8Array>) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  const next = async (): Promise<Event | 'connected' | 'ended'> => {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end !== -1) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        if (block.startsWith('retry:')) return 'connected';
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
        if (field('data') === '') continue;
        return { ...(JSON.parse(field('data')) as { kind: string; ref: string }), id: Number(field('id')) };
      }
      try {
        const { done, value } = await reader.read();
        if (done) return 'ended';
        text += decoder.decode(value, { stream: true });
      } catch {
        // Cut off instead of ended.
        return 'ended';
      }
    }
  };
  return { next, end: () => reader.cancel() };
}

async function nextEvent(stream: Stream): Promise<Event> {
  const event = await stream.next();
  return typeof event === 'string' ? assert.fail(event) : event;
}
