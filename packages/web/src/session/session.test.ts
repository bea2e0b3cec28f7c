import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type * as SessionModule from './session.ts';

/** The browser's store, with what another tab has written before this page came. */
const store = new Map<string, string>();
Object.defineProperty(globalThis, 'localStorage', {
  value: {
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, value: string) => void store.set(key, value),
    removeItem: (key: string) => void store.delete(key),
  },
});
const session = { token: 'abc', email: 'a@example.com' };
let pages = 0;
/** A page that is loaded now. */
const load = async (): Promise<typeof SessionModule> => {
  pages += 1;
  return (await import(`./session.ts?page=${pages}`)) as typeof SessionModule;
};

beforeEach(() => store.clear());

test('a reload goes on as the one who signed in', async () => {
  const first = await load();
  assert.equal(first.readSession(), undefined);
  first.startSession(session);
  assert.deepEqual((await load()).readSession(), session);
});

test('signing out leaves nothing in the browser', async () => {
  const page = await load();
  page.startSession(session);
  page.endSession();
  assert.equal(page.readSession(), undefined);
  assert.equal(store.size, 0);
});

test('a token the server takes no more is not sent again', async () => {
  const page = await load();
  page.startSession(session);
  page.interruptSession();
  assert.equal(page.readSession(), undefined);
  page.startSession({ ...session, token: 'def' });
  assert.equal(page.readSession()?.token, 'def');
});

test('what is no session in the store is none', async () => {
  for (const broken of ['{', '"x"', '{"token":1,"email":"a@example.com"}', 'null']) {
    store.set('tandem.session', broken);
    assert.equal((await load()).readSession(), undefined, broken);
  }
});
