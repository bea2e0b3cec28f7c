import { createHash, randomUUID } from 'node:crypto';
import { maxArtifactBytes, type ArtifactImage, type Page } from '@tandem/api';
import { ArtifactError, readArtifact, type Decompressors } from '@tandem/artifact';
import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import type { ArtifactLinks } from '../http/artifact-link.ts';
import type { Log } from '../log.ts';
import { ObjectStorageError, type ObjectKey, type ObjectStorage } from '../object-storage/object-storage.ts';
import { ServerError } from '../server-error.ts';
import { beyondScope, seesRelease } from '../visibility.ts';
import { artifactFacts, ArtifactUnusable, type ArtifactFacts } from './artifact-facts.ts';
import type { ArtifactForm } from './artifact-form.ts';
import { artifactImage, type StoredArtifact } from './artifact-image.ts';
import {
  artifactStore,
  type ArtifactFilter,
  type ArtifactOrder,
  type NewArtifact,
} from './artifact-store.ts';
import { combinationAsObject, dependsCombinations } from './depends-combinations.ts';
import { dropObject } from './drop-object.ts';
import { inspectedStream } from './inspected-stream.ts';
import { releaseStore, type SoftwareKind } from './release-store.ts';

export interface ArtifactNeeds {
  readonly database: Database;
  readonly storage: ObjectStorage;
  readonly links: ArtifactLinks;
  readonly decompressors: Decompressors;
  readonly clock: Clock;
  readonly log: Log;
  /** Refuse uploads without a signature. Whose it is, only the devices know. */
  readonly requireSignature: boolean;
  /** What all artifacts of a tenant may take together; 0 for no limit. */
  readonly storageLimitBytes: number;
  /** Of the deployments: what uses an artifact now, and whether anything ever did. */
  readonly activeDeploymentsOf: (
    reader: Reader,
    tenant: string,
    artifactIds: readonly string[],
  ) => Promise<readonly string[]>;
  readonly isUsedInDeployment: (reader: Reader, tenant: string, artifactId: string) => Promise<boolean>;
  /** Told in the same unit of work: unfinished deployments of the release may serve it, too (server contract 4.5). */
  readonly artifactAdded: (
    tx: Transaction,
    tenant: string,
    artifact: { id: string; name: string },
  ) => Promise<void>;
  /** Stored objects that are kept though they are no artifacts (yet). */
  readonly isWaiting: (key: ObjectKey) => Promise<boolean>;
}

/** A user's link to an artifact is good so long (server contract 13). */
const userLinkSeconds = 900;

const manifestPayloadType = 'mender-orchestrator-manifest';

export type Artifacts = ReturnType<typeof createArtifacts>;

/** The rules on artifacts (server contract 4.2). */
export function createArtifacts(needs: ArtifactNeeds) {
  const { database, storage, links, clock } = needs;
  const store = (actor: Actor) => artifactStore.forTenant(actor.tenant);
  const seen = (actor: Actor) => artifactStore.seenBy(actor);

  return {
    /**
     * Stores an artifact, checking it on the way; returns its id. A refused or broken upload leaves nothing: the bytes are
     * removed when the checks or the database say no, and by `removeLeftovers` when the power went in between. Equal content is
     * never stored twice: its name and depends are equal, too, and that is a `conflict` before the bytes count as stored.
     * Throws `forbidden` for a release that the actor does not see, `badRequest`, `conflict`, `unprocessable`, `tooLarge`.
     */
    upload: async (actor: Actor, form: ArtifactForm, signal: AbortSignal): Promise<string> => {
      const id = form.artifactId ?? randomUUID();
      if ((form.sizeBytes ?? 0) > maxArtifactBytes) throw tooLarge();
      if (await store(actor).idTaken(database.read, id)) throw notUnique();
      const room = await roomFor(needs, actor);
      if ((form.sizeBytes ?? 0) > room) throw limitReached(needs);

      // An id that was chosen may be chosen by two at once.
      const objectId = form.artifactId === undefined ? id : randomUUID();
      const key = { tenant: actor.tenant, id: objectId };
      const stored = await storeChecked(needs, actor, key, { ...form, room }, signal);
      try {
        await addToRelease(needs, actor, { id, objectId, description: form.description, ...stored });
      } catch (error) {
        await dropObject(storage, needs.log, key);
        throw error;
      }
      return id;
    },

    get: async (actor: Actor, id: string): Promise<ArtifactImage> => {
      const found = await seen(actor).get(database.read, id);
      if (found === undefined) throw notFound();
      return artifactImage(found);
    },

    all: async (actor: Actor, filter: ArtifactFilter): Promise<ArtifactImage[]> =>
      (await seen(actor).search(database.read, filter, byName)).map(artifactImage),

    page: async (actor: Actor, filter: ArtifactFilter, order: ArtifactOrder, page: Page) => ({
      images: (await seen(actor).search(database.read, filter, order, page)).map(artifactImage),
      total: () => seen(actor).count(database.read, filter),
    }),

    /** Checked in this order: what was deployed keeps its text, whether or not it is still there. */
    describe: (actor: Actor, id: string, description: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        const [known] = await seen(actor).getMany(tx, [id]);
        if (known !== undefined && (await needs.isUsedInDeployment(tx, actor.tenant, id))) {
          throw new ServerError('unprocessable', 'Image has already been used in deployment');
        }
        if ((await seen(actor).get(tx, id)) === undefined) throw notFound();
        const time = clock();
        await store(actor).describe(tx, id, description, time);
        await recordChange(tx, actor, { kind: 'artifact.updated', ref: id, time });
      }),

    remove: async (actor: Actor, id: string): Promise<void> => {
      const object = await database.unitOfWork(async (tx) => {
        const artifact = await seen(actor).get(tx, id);
        if (artifact === undefined) throw notFound();
        if ((await needs.activeDeploymentsOf(tx, actor.tenant, [id])).length > 0) {
          throw new ServerError('conflict', 'Artifact is used in active deployment');
        }
        return removeArtifact(tx, actor, artifact, clock());
      });
      await dropObject(storage, needs.log, object);
    },

    link: async (actor: Actor, id: string) => {
      if ((await seen(actor).get(database.read, id)) === undefined) throw notFound();
      return await links.artifactLink(
        { tenant: actor.tenant, artifactId: id, deviceId: undefined },
        userLinkSeconds,
      );
    },

    usageBytes: (actor: Actor): Promise<number> => store(actor).usageBytes(database.read),

    limitBytes: needs.storageLimitBytes,

    /** Removes what uploads left in the storage when the power went, and the bytes no artifact refers to; older than that only. */
    removeLeftovers: async (olderThanMs: number, signal?: AbortSignal): Promise<void> => {
      const unfinished = await storage.removeUnfinished(olderThanMs, signal);
      if (unfinished > 0)
        needs.log('warning', 'removed what uploads that broke off left', { count: unfinished });
      for await (const key of storage.keys(olderThanMs, signal)) {
        signal?.throwIfAborted();
        if (await artifactStore.forTenant(key.tenant).isObjectUsed(database.read, key.id)) continue;
        if (await needs.isWaiting(key)) continue;
        await storage.delete(key);
        needs.log('warning', 'removed the bytes of an artifact that was never completed, or is deleted', {
          id: key.id,
        });
      }
    },
  };
}

const byName: ArtifactOrder = { by: 'name', direction: 'asc' };

/** Where the bytes of an artifact lie, and what it is called; undefined when there is none of that id (any more). */
export async function storedObjectOf(
  reader: Reader,
  tenant: string,
  id: string,
): Promise<{ readonly key: ObjectKey; readonly fileName: string } | undefined> {
  const artifact = await artifactStore.forTenant(tenant).get(reader, id);
  return artifact && { key: { tenant, id: artifact.objectId }, fileName: `${artifact.facts.name}.mender` };
}

/** Takes an artifact out of its release; returns the object that is to be deleted after the commit. */
export async function removeArtifact(
  tx: Transaction,
  actor: Actor,
  { id, objectId, facts }: StoredArtifact,
  time: number,
): Promise<ObjectKey> {
  await artifactStore.forTenant(actor.tenant).markDeleted(tx, id, time);
  await releaseStore.forTenant(actor.tenant).artifactRemoved(tx, facts.name, time);
  await recordChange(tx, actor, { kind: 'artifact.deleted', ref: id, time });
  return { tenant: actor.tenant, id: objectId };
}

/** How many bytes the tenant may still store. */
const roomFor = async (
  { database, storageLimitBytes }: Pick<ArtifactNeeds, 'database' | 'storageLimitBytes'>,
  { tenant }: Actor,
): Promise<number> =>
  storageLimitBytes === 0
    ? Number.POSITIVE_INFINITY
    : storageLimitBytes - (await artifactStore.forTenant(tenant).usageBytes(database.read));

async function storeChecked(
  needs: ArtifactNeeds,
  actor: Actor,
  key: ObjectKey,
  form: ArtifactForm & { readonly room: number },
  signal: AbortSignal,
): Promise<{ sizeBytes: number; sha256: string; facts: ArtifactFacts }> {
  const { storage, database, decompressors, requireSignature } = needs;
  const inspected = inspectedStream(
    bounded({ ...form, content: form.artifact }, maxArtifactBytes),
    async (source) => artifactFacts(await readArtifact(source, { decompressors, signal })),
  );
  const hash = createHash('sha256');
  // The last word before the bytes count as stored: what is refused here was never there.
  async function* checked(): AsyncGenerator<Uint8Array> {
    let { room } = form;
    for await (const chunk of inspected.content) {
      room -= chunk.length;
      if (room < 0) throw limitReached(needs);
      hash.update(chunk);
      yield chunk;
    }
    const facts = inspected.result();
    if (requireSignature && !facts.signed) {
      throw new ArtifactUnusable('the artifact is not signed, and this server takes signed artifacts only');
    }
    if (!(await seesRelease(database.read, actor, facts.name))) throw beyondScope();
    await assertNoConflict(database.read, key.tenant, facts.name, dependsCombinations(facts.depends));
  }
  try {
    const { sizeBytes } = await storage.put(key, checked(), { sizeBytes: form.sizeBytes, signal });
    return { sizeBytes, sha256: hash.digest('hex'), facts: inspected.result() };
  } catch (error) {
    if (error instanceof ArtifactError || error instanceof ArtifactUnusable) {
      throw new ServerError('badRequest', `reading artifact error: ${error.message}`, { cause: error });
    }
    if (error instanceof ObjectStorageError && error.code === 'exists') throw notUnique();
    throw error;
  }
}

/** No two artifacts of a name may share a combination of depends (server contract 4.1). Throws `conflict`. */
async function assertNoConflict(
  reader: Reader,
  tenant: string,
  name: string,
  combinations: readonly string[],
): Promise<void> {
  const conflict = await artifactStore.forTenant(tenant).conflict(reader, name, combinations);
  if (conflict === undefined) return;
  throw new ServerError('conflict', 'an artifact with the same name and depends already exists', {
    details: {
      metadata: {
        conflict: {
          name,
          artifact_id: conflict.artifact_id,
          depends: combinationAsObject(conflict.combination),
        },
      },
    },
  });
}

/** What comes in, as long as it is no more than was announced, nor than may be. Throws `tooLarge`, `badRequest`. */
export async function* bounded(
  { content, sizeBytes }: { content: AsyncIterable<Uint8Array>; sizeBytes: number | undefined },
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let received = 0;
  for await (const chunk of content) {
    received += chunk.length;
    if (received > maxBytes) throw tooLarge();
    if (sizeBytes !== undefined && received > sizeBytes) throw wrongSize();
    yield chunk;
  }
  if (sizeBytes !== undefined && received !== sizeBytes) throw wrongSize();
}

const addToRelease = (
  { database, clock, artifactAdded, storageLimitBytes }: ArtifactNeeds,
  actor: Actor,
  artifact: Omit<NewArtifact, 'modified' | 'combinations'>,
): Promise<void> =>
  database.unitOfWork(async (tx) => {
    const { id, facts, sizeBytes } = artifact;
    const store = artifactStore.forTenant(actor.tenant);
    const combinations = dependsCombinations(facts.depends);
    // Anew: its tags may be others by now.
    if (!(await seesRelease(tx, actor, facts.name))) throw beyondScope();
    if (await store.idTaken(tx, id)) throw notUnique();
    await assertNoConflict(tx, actor.tenant, facts.name, combinations);
    if (storageLimitBytes > 0 && (await store.usageBytes(tx)) + sizeBytes > storageLimitBytes) {
      throw limitReached({ storageLimitBytes });
    }
    const time = clock();
    await store.insert(tx, { ...artifact, modified: time, combinations });
    await releaseStore
      .forTenant(actor.tenant)
      .artifactAdded(tx, { name: facts.name, kind: softwareKind(facts), modified: time });
    await artifactAdded(tx, actor.tenant, { id, name: facts.name });
    await recordChange(tx, actor, { kind: 'artifact.created', ref: id, time });
  });

const softwareKind = ({ payloads }: ArtifactFacts): SoftwareKind =>
  payloads.some(({ type }) => type === manifestPayloadType) ? 'manifest' : 'release';

const notFound = () => new ServerError('notFound', 'Resource not found');
const notUnique = () => new ServerError('unprocessable', 'Artifact not unique');
const tooLarge = () => new ServerError('tooLarge', 'Artifact file too large');
const limitReached = ({ storageLimitBytes }: Pick<ArtifactNeeds, 'storageLimitBytes'>) =>
  new ServerError(
    'tooLarge',
    `with this artifact the stored ones would have more than ${storageLimitBytes} bytes together: delete some first`,
  );
const wrongSize = () => new ServerError('badRequest', 'unexpected EOF');
