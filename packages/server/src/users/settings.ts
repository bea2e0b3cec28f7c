import { randomUUID } from 'node:crypto';
import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import { ServerError } from '../server-error.ts';
import { userStore } from './user-store.ts';

export type Settings = ReturnType<typeof createSettings>;

/** Of the whole tenant, or of the caller alone. */
export type SettingsOwner = 'tenant' | 'caller';

const maxKeys = 1024;
const maxKeyLength = 128;
const maxTextLength = 4096;
/** Names the reference uses itself; they are taken and dropped. */
const swallowed = new Set(['_id', 'etag', 'user_id', 'tenant_id']);

/** Free-form settings that user interfaces keep with us (server contract 5.4). */
export function createSettings(database: Database, clock: Clock) {
  const ownerId = ({ subject }: Actor, owner: SettingsOwner): string =>
    owner === 'tenant' ? '' : subject.id;
  return {
    get: async (
      actor: Actor,
      owner: SettingsOwner,
    ): Promise<{ etag?: string; value: Record<string, unknown> }> => {
      const stored = await userStore.forTenant(actor.tenant).settings(database.read, ownerId(actor, owner));
      if (stored === undefined) return { value: {} };
      return { etag: stored.etag, value: JSON.parse(stored.value) as Record<string, unknown> };
    },

    /** Throws `badRequest` beyond the bounds, `preconditionFailed` when `ifMatch` is not what is stored. */
    replace: async (
      actor: Actor,
      owner: SettingsOwner,
      value: Readonly<Record<string, unknown>>,
      ifMatch: string | undefined,
    ): Promise<void> => {
      const text = JSON.stringify(Object.fromEntries(bounded(value)));
      await database.unitOfWork(async (tx) => {
        const store = userStore.forTenant(actor.tenant);
        const id = ownerId(actor, owner);
        if (ifMatch !== undefined && (await store.settings(tx, id))?.etag !== ifMatch) {
          throw new ServerError('preconditionFailed', "ETag doesn't match");
        }
        await store.putSettings(tx, id, randomUUID(), text);
        if (owner === 'tenant')
          await recordChange(tx, actor, { kind: 'settings.replace', ref: '', time: clock() });
      });
    },
  };
}

function bounded(value: Readonly<Record<string, unknown>>): [string, unknown][] {
  const entries = Object.entries(value).filter(([key]) => !swallowed.has(key));
  if (entries.length > maxKeys) throw new ServerError('badRequest', `settings: at most ${maxKeys} keys`);
  for (const [key, item] of entries) {
    if (key.length > maxKeyLength)
      throw new ServerError('badRequest', `settings: a key has at most ${maxKeyLength} characters`);
    if (typeof item === 'string' && item.length > maxTextLength) {
      throw new ServerError('badRequest', `settings: ${key} has more than ${maxTextLength} characters`);
    }
  }
  return entries;
}
