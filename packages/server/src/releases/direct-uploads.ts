import { randomUUID } from 'node:crypto';
import { systemActor, type Actor } from '../actor.ts';
import { rfc3339, type Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Log } from '../log.ts';
import { artifactContentType, type ObjectKey, type ObjectStorage } from '../object-storage/object-storage.ts';
import { ServerError } from '../server-error.ts';
import { artifactStore } from './artifact-store.ts';
import type { Artifacts } from './artifacts.ts';
import { directUploadStore, type CompletedUpload } from './direct-upload-store.ts';
import { isFinal, storedFile } from './stored-file.ts';

export interface DirectUploadNeeds {
  readonly database: Database;
  readonly storage: ObjectStorage;
  readonly clock: Clock;
  readonly log: Log;
  readonly upload: Artifacts['upload'];
  /** Called once there is one more to take in. */
  readonly uploadCompleted: () => void;
}

export type DirectUploads = ReturnType<typeof createDirectUploads>;

/** A link to upload by is good so long (server contract 4.2). */
const linkSeconds = 3600;
/** An upload that was begun in time may take a day. */
const abandonedAfterMs = linkSeconds * 1000 + 24 * 60 * 60 * 1000;
const maxAttempts = 10;

const objectOf = (tenant: string, id: string): ObjectKey => ({ tenant, id: `direct-${id}` });

/**
 * Uploads past the server (server contract 4.2): the sender asks for a link, PUTs the artifact into the bucket, and says so. What
 * lies there is then read, checked and stored by the same upload as any other, as an object that no link can write to: whoever has
 * the link could change what it made for as long as the link is good.
 *
 * To whom only some releases are visible, it is not offered, as where there is no bucket: which release it is for is known when it is
 * read, too late to refuse it to him. He uploads through the server.
 */
export function createDirectUploads(needs: DirectUploadNeeds) {
  const { database, storage, clock, log } = needs;

  const finish = async ({ tenant, id }: { tenant: string; id: string }, failure?: string): Promise<void> => {
    const actor = systemActor(tenant, 'direct-upload');
    await database.unitOfWork(async (tx) => {
      await directUploadStore.forTenant(tenant).delete(tx, id);
      if (failure !== undefined) {
        await recordChange(tx, actor, { kind: 'artifact.not-taken-in', ref: id, time: clock() });
      }
    });
    await storage.delete(objectOf(tenant, id));
    if (failure !== undefined) log('warning', 'a direct upload was not taken in', { id, cause: failure });
  };

  const takeIn = async (completed: CompletedUpload, signal: AbortSignal): Promise<void> => {
    const { tenant, id, attempts } = completed;
    const isThere = () => artifactStore.forTenant(tenant).idTaken(database.read, id);
    // A power cut came between storing the artifact and forgetting the upload.
    if (await isThere()) return finish(completed);
    try {
      const file = await storedFile(storage, objectOf(tenant, id));
      if (file === undefined) return await finish(completed, 'its object is gone');
      const form = { description: '', sizeBytes: file.sizeBytes, artifactId: id, artifact: file.open() };
      await needs.upload(systemActor(tenant, 'direct-upload'), form, signal);
      await finish(completed);
    } catch (error) {
      if (signal.aborted || (await isThere())) return;
      const cause = error instanceof Error ? error.message : String(error);
      if (isFinal(error) || attempts + 1 >= maxAttempts) return finish(completed, cause);
      log('error', 'taking in a direct upload failed; it will be tried again', { id, cause });
      await database.unitOfWork(async (tx) => {
        await directUploadStore.forTenant(tenant).countAttempt(tx, id, attempts + 1);
      });
    }
  };

  const linksFor = ({ scope }: Actor) => (scope.tags === 'all' ? storage.links : undefined);

  return {
    /** Where to put an artifact. Throws `notFound` where it is not offered. */
    request: async (actor: Actor) => {
      const { tenant } = actor;
      const links = linksFor(actor);
      if (links === undefined) throw new ServerError('notFound', 'not found');
      const [id, now] = [randomUUID(), clock()];
      const uri = await links.upload(objectOf(tenant, id), { from: now, forSeconds: linkSeconds });
      await database.unitOfWork(async (tx) => {
        await directUploadStore.forTenant(tenant).insert(tx, id, now);
      });
      return {
        id,
        uri,
        expire: rfc3339(now + linkSeconds * 1000),
        method: 'PUT' as const,
        header: { 'Content-Type': artifactContentType },
      };
    },

    /** The object is there: it will be taken in. Throws `notFound` when it is not, or nobody asked for the link. */
    complete: async (actor: Actor, id: string): Promise<void> => {
      const store = directUploadStore.forTenant(actor.tenant);
      const isThere = linksFor(actor) !== undefined && (await store.get(database.read, id)) !== undefined;
      if (!isThere || (await storage.head(objectOf(actor.tenant, id))) === undefined) throw notFound();
      await database.unitOfWork(async (tx) => {
        if ((await store.get(tx, id))?.completed !== null) throw notFound();
        const time = clock();
        await store.complete(tx, id, time);
        await recordChange(tx, actor, { kind: 'artifact.requested', ref: id, time });
      });
      needs.uploadCompleted();
    },

    /** Takes in what is complete, and forgets what was abandoned; ends early when aborted, to go on another time. */
    run: async (signal: AbortSignal): Promise<void> => {
      for (const completed of await directUploadStore.completed(database.read)) {
        if (signal.aborted) return;
        await takeIn(completed, signal);
      }
      for (const one of await directUploadStore.abandoned(database.read, clock() - abandonedAfterMs)) {
        if (signal.aborted) return;
        await finish(one);
      }
    },

    /** Whether an object in storage is an upload that is under way, or still to be taken in. */
    isWaiting: async ({ tenant, id }: ObjectKey): Promise<boolean> =>
      id.startsWith('direct-') &&
      (await directUploadStore.forTenant(tenant).get(database.read, id.slice('direct-'.length))) !==
        undefined,
  };
}

const notFound = () => new ServerError('notFound', 'Resource not found');
