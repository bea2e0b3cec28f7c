import { randomUUID } from 'node:crypto';
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
import { artifactFacts, ArtifactUnusable, type ArtifactFacts } from './artifact-facts.ts';
import type { ArtifactForm } from './artifact-form.ts';
import { artifactImage } from './artifact-image.ts';
import { artifactStore, type ArtifactFilter, type ArtifactOrder } from './artifact-store.ts';
import { combinationAsObject, dependsCombinations } from './depends-combinations.ts';
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
  /** Stored objects that are kept though they are no artifacts. */
  readonly isRawFile: (key: ObjectKey) => Promise<boolean>;
}

/** A user's link to an artifact is good so long (server contract 13). */
const userLinkSeconds = 900;

const manifestPayloadType = 'mender-orchestrator-manifest';

export type Artifacts = ReturnType<typeof createArtifacts>;

/** The rules on artifacts (server contract 4.2). */
export function createArtifacts(needs: ArtifactNeeds) {
  const { database, storage, links, clock } = needs;
  const store = (actor: Actor) => artifactStore.forTenant(actor.tenant);

  return {
    /**
     * Stores an artifact, checking it on the way; returns its id. A refused or broken upload leaves nothing: the bytes are
     * removed when the checks or the database say no, and by `removeUnreferenced` when the power went in between.
     * Throws `badRequest`, `conflict`, `unprocessable`, `tooLarge`.
     */
    upload: async (actor: Actor, form: ArtifactForm, signal: AbortSignal): Promise<string> => {
      const id = form.artifactId ?? randomUUID();
      if ((form.sizeBytes ?? 0) > maxArtifactBytes) throw tooLarge();
      if (await store(actor).idTaken(database.read, id)) throw notUnique();

      const key = { tenant: actor.tenant, id };
      const { sizeBytes, facts } = await storeChecked(needs, key, form, signal);
      try {
        await addToRelease(needs, actor, { id, description: form.description, sizeBytes, facts });
      } catch (error) {
        await storage.delete(key);
        throw error;
      }
      return id;
    },

    get: async (actor: Actor, id: string): Promise<ArtifactImage> => {
      const found = await store(actor).get(database.read, id);
      if (found === undefined) throw notFound();
      return artifactImage(found);
    },

    all: async (actor: Actor, filter: ArtifactFilter): Promise<ArtifactImage[]> =>
      (await store(actor).search(database.read, filter, byName)).map(artifactImage),

    page: async (actor: Actor, filter: ArtifactFilter, order: ArtifactOrder, page: Page) => ({
      images: (await store(actor).search(database.read, filter, order, page)).map(artifactImage),
      total: () => store(actor).count(database.read, filter),
    }),

    /** Checked in this order: what was deployed keeps its text, whether or not it is still there. */
    describe: (actor: Actor, id: string, description: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        if (await needs.isUsedInDeployment(tx, actor.tenant, id)) {
          throw new ServerError('unprocessable', 'Image has already been used in deployment');
        }
        if ((await store(actor).get(tx, id)) === undefined) throw notFound();
        const time = clock();
        await store(actor).describe(tx, id, description, time);
        await recordChange(tx, actor, { kind: 'artifact.updated', ref: id, time });
      }),

    remove: async (actor: Actor, id: string): Promise<void> => {
      await database.unitOfWork(async (tx) => {
        if ((await store(actor).get(tx, id)) === undefined) throw notFound();
        if ((await needs.activeDeploymentsOf(tx, actor.tenant, [id])).length > 0) {
          throw new ServerError('conflict', 'Artifact is used in active deployment');
        }
        await removeArtifact(tx, actor, id, clock());
      });
      await storage.delete({ tenant: actor.tenant, id });
    },

    link: async (actor: Actor, id: string) => {
      if ((await store(actor).get(database.read, id)) === undefined) throw notFound();
      return links.artifactLink(
        { tenant: actor.tenant, artifactId: id, deviceId: undefined },
        userLinkSeconds,
      );
    },

    usageBytes: (actor: Actor): Promise<number> => store(actor).usageBytes(database.read),

    nameOf: async ({ tenant, id }: ObjectKey): Promise<string | undefined> =>
      (await artifactStore.forTenant(tenant).get(database.read, id))?.facts.name,

    /** Removes stored bytes that no artifact refers to: left by a power cut between storing and noting. For the start only. */
    removeUnreferenced: async (): Promise<void> => {
      for await (const key of storage.keys()) {
        if ((await artifactStore.forTenant(key.tenant).get(database.read, key.id)) !== undefined) continue;
        if (await needs.isRawFile(key)) continue;
        await storage.delete(key);
        needs.log('warning', 'removed the bytes of an artifact that was never completed, or is deleted', {
          id: key.id,
        });
      }
    },
  };
}

const byName: ArtifactOrder = { by: 'name', direction: 'asc' };

/** Takes an artifact out of its release; the bytes are to be deleted after the commit. */
export async function removeArtifact(tx: Transaction, actor: Actor, id: string, time: number): Promise<void> {
  const artifact = await artifactStore.forTenant(actor.tenant).get(tx, id);
  if (artifact === undefined) return;
  await artifactStore.forTenant(actor.tenant).markDeleted(tx, id, time);
  await releaseStore.forTenant(actor.tenant).artifactRemoved(tx, artifact.facts.name, time);
  await recordChange(tx, actor, { kind: 'artifact.deleted', ref: id, time });
}

async function storeChecked(
  { storage, decompressors, requireSignature }: ArtifactNeeds,
  key: ObjectKey,
  form: ArtifactForm,
  signal: AbortSignal,
): Promise<{ sizeBytes: number; facts: ArtifactFacts }> {
  const inspected = inspectedStream(
    bounded({ ...form, content: form.artifact }, maxArtifactBytes),
    async (source) => artifactFacts(await readArtifact(source, { decompressors, signal })),
  );
  // The last word before the bytes count as stored: what is refused here was never there.
  async function* checked(): AsyncGenerator<Uint8Array> {
    yield* inspected.content;
    const facts = inspected.result();
    dependsCombinations(facts.depends);
    if (requireSignature && !facts.signed) {
      throw new ArtifactUnusable('the artifact is not signed, and this server takes signed artifacts only');
    }
  }
  try {
    const { sizeBytes } = await storage.put(key, checked(), { sizeBytes: form.sizeBytes, signal });
    return { sizeBytes, facts: inspected.result() };
  } catch (error) {
    if (error instanceof ArtifactError || error instanceof ArtifactUnusable) {
      throw new ServerError('badRequest', `reading artifact error: ${error.message}`, { cause: error });
    }
    if (error instanceof ObjectStorageError && error.code === 'exists') throw notUnique();
    throw error;
  }
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
  { database, clock, artifactAdded }: ArtifactNeeds,
  actor: Actor,
  artifact: { id: string; description: string; sizeBytes: number; facts: ArtifactFacts },
): Promise<void> =>
  database.unitOfWork(async (tx) => {
    const { id, facts } = artifact;
    const store = artifactStore.forTenant(actor.tenant);
    const combinations = dependsCombinations(facts.depends);
    if (await store.idTaken(tx, id)) throw notUnique();
    const conflict = await store.conflict(tx, facts.name, combinations);
    if (conflict !== undefined) {
      throw new ServerError('conflict', 'an artifact with the same name and depends already exists', {
        details: {
          metadata: {
            conflict: {
              name: facts.name,
              artifact_id: conflict.artifact_id,
              depends: combinationAsObject(conflict.combination),
            },
          },
        },
      });
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
const wrongSize = () => new ServerError('badRequest', 'unexpected EOF');
