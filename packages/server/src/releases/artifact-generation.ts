import { randomUUID } from 'node:crypto';
import { maxRawFileBytes } from '@tandem/api';
import { systemActor, type Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Log } from '../log.ts';
import type { ObjectKey, ObjectStorage } from '../object-storage/object-storage.ts';
import { ServerError } from '../server-error.ts';
import { beyondScope, seesRelease } from '../visibility.ts';
import { artifactGenerationStore, type PendingGeneration } from './artifact-generation-store.ts';
import { artifactStore } from './artifact-store.ts';
import { bounded, type Artifacts } from './artifacts.ts';
import { dependsCombinations } from './depends-combinations.ts';
import type { GenerationForm, WantedArtifact } from './generation-form.ts';
import { singleFileArtifact } from './single-file-artifact.ts';
import { isFinal, storedFile } from './stored-file.ts';

export interface ArtifactGenerationNeeds {
  readonly database: Database;
  readonly storage: ObjectStorage;
  readonly clock: Clock;
  readonly log: Log;
  readonly requireSignature: boolean;
  readonly upload: Artifacts['upload'];
  /** Called once there is one more to make. */
  readonly generationRequested: () => void;
}

export type ArtifactGeneration = ReturnType<typeof createArtifactGeneration>;

const maxAttempts = 10;
const rawKey = (tenant: string, artifactId: string): ObjectKey => ({ tenant, id: `raw-${artifactId}` });

/**
 * Making artifacts of single files (server contract 4.2). The request keeps the raw file and a row; `run` makes the artifacts of
 * all rows there are, and so goes on after a restart. Nothing is half done: the artifact is stored by the same upload as any other.
 */
export function createArtifactGeneration(needs: ArtifactGenerationNeeds) {
  const { database, storage, clock, log } = needs;

  const finish = async ({ tenant, artifactId }: PendingGeneration, failure?: string): Promise<void> => {
    const actor = systemActor(tenant, 'artifact-generation');
    await database.unitOfWork(async (tx) => {
      await artifactGenerationStore.forTenant(tenant).delete(tx, artifactId);
      if (failure !== undefined)
        await recordChange(tx, actor, { kind: 'artifact.not-generated', ref: artifactId, time: clock() });
    });
    await storage.delete(rawKey(tenant, artifactId));
    if (failure !== undefined)
      log('warning', 'an artifact could not be generated', { id: artifactId, cause: failure });
  };

  const generate = async (pending: PendingGeneration, signal: AbortSignal): Promise<void> => {
    const { tenant, artifactId, wanted, requested, attempts } = pending;
    const isThere = () => artifactStore.forTenant(tenant).idTaken(database.read, artifactId);
    // A power cut came between storing the artifact and forgetting the request.
    if (await isThere()) return finish(pending);
    try {
      const file = await storedFile(storage, rawKey(tenant, artifactId));
      if (file === undefined) return await finish(pending, 'its raw file is gone');
      const artifact = singleFileArtifact(wanted, file, { modifiedAt: Math.floor(requested / 1000), signal });
      const form = { description: wanted.description, sizeBytes: undefined, artifactId, artifact };
      await needs.upload(systemActor(tenant, 'artifact-generation'), form, signal);
      await finish(pending);
    } catch (error) {
      if (signal.aborted || (await isThere())) return;
      const cause = error instanceof Error ? error.message : String(error);
      if (isFinal(error) || attempts + 1 >= maxAttempts) return finish(pending, cause);
      log('error', 'generating an artifact failed; it will be tried again', { id: artifactId, cause });
      await database.unitOfWork(async (tx) => {
        await artifactGenerationStore.forTenant(tenant).countAttempt(tx, artifactId, attempts + 1);
      });
    }
  };

  return {
    /** Returns the id of the future artifact. Throws `forbidden`, `unprocessable`, `tooLarge`, `badRequest`. */
    request: async (actor: Actor, form: GenerationForm, signal: AbortSignal): Promise<string> => {
      const { content, sizeBytes, ...wanted } = form;
      if (needs.requireSignature) {
        throw new ServerError(
          'unprocessable',
          'this server takes signed artifacts only: generate and sign it with mender-artifact, then upload it',
        );
      }
      if (!(await seesRelease(database.read, actor, wanted.name))) throw beyondScope();
      await assertUnique(database, actor, wanted);
      const artifactId = randomUUID();
      const key = rawKey(actor.tenant, artifactId);
      await storage.put(key, bounded({ content, sizeBytes }, maxRawFileBytes), { sizeBytes, signal });
      try {
        await database.unitOfWork(async (tx) => {
          const time = clock();
          await artifactGenerationStore.forTenant(actor.tenant).insert(tx, artifactId, wanted, time);
          await recordChange(tx, actor, { kind: 'artifact.requested', ref: artifactId, time });
        });
      } catch (error) {
        await storage.delete(key);
        throw error;
      }
      needs.generationRequested();
      return artifactId;
    },

    /** Makes what is to be made; ends early when aborted, to go on another time. */
    run: async (signal: AbortSignal): Promise<void> => {
      for (const pending of await artifactGenerationStore.pending(database.read)) {
        if (signal.aborted) return;
        await generate(pending, signal);
      }
    },

    /** Whether an object in storage is the raw file of an artifact still to be made. */
    isWaiting: async ({ tenant, id }: ObjectKey): Promise<boolean> =>
      id.startsWith('raw-') &&
      artifactGenerationStore.forTenant(tenant).isPending(database.read, id.slice('raw-'.length)),
  };
}

/** Server contract 4.2: an artifact of that name for one of the device types is there already, or will be. */
async function assertUnique(
  { read }: Database,
  { tenant }: Actor,
  { name, deviceTypes }: WantedArtifact,
): Promise<void> {
  const combinations = dependsCombinations({ device_type: deviceTypes });
  const asked = await artifactGenerationStore.forTenant(tenant).named(read, name);
  if (
    asked.some((other) => other.deviceTypes.some((type) => deviceTypes.includes(type))) ||
    (await artifactStore.forTenant(tenant).conflict(read, name, combinations)) !== undefined
  ) {
    throw new ServerError('unprocessable', 'Artifact not unique');
  }
}
