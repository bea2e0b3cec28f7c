import type { ArtifactImage, Page } from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader } from '../database/tables.ts';
import type { Log } from '../log.ts';
import type { ObjectKey, ObjectStorage } from '../object-storage/object-storage.ts';
import { ServerError } from '../server-error.ts';
import { artifactImage, type StoredArtifact } from './artifact-image.ts';
import { artifactStore } from './artifact-store.ts';
import { removeArtifact } from './artifacts.ts';
import { dropObject } from './drop-object.ts';
import {
  releaseStore,
  type Release,
  type ReleaseFilter,
  type ReleaseOrder,
  type SoftwareKind,
} from './release-store.ts';
import { checkedNotes, checkedTags, maxTagsPerTenant } from './release-texts.ts';

export interface ReleaseNeeds {
  readonly database: Database;
  readonly storage: ObjectStorage;
  readonly log: Log;
  readonly clock: Clock;
  /** Unfinished deployments that may serve one of these artifacts. */
  readonly activeDeploymentsOf: (
    reader: Reader,
    tenant: string,
    artifactIds: readonly string[],
  ) => Promise<readonly string[]>;
}

export interface ReleaseWithArtifacts extends Release {
  readonly artifacts: readonly ArtifactImage[];
  /** Of all its artifacts together. */
  readonly deviceTypes: readonly string[];
}

export type Releases = ReturnType<typeof createReleases>;

/** The rules on releases (server contract 4.3). */
export function createReleases({ database, storage, log, clock, activeDeploymentsOf }: ReleaseNeeds) {
  const releases = (actor: Actor) => releaseStore.seenBy(actor);
  const artifacts = (actor: Actor) => artifactStore.seenBy(actor);
  const all = (actor: Actor) => releaseStore.forTenant(actor.tenant);

  const filled = async (actor: Actor, found: readonly Release[]): Promise<ReleaseWithArtifacts[]> => {
    const own = await artifacts(actor).named(
      database.read,
      found.map(({ name }) => name),
    );
    return found.map((release) => withArtifacts(release, own));
  };

  return {
    get: async (actor: Actor, name: string): Promise<ReleaseWithArtifacts> => {
      const release = await releases(actor).get(database.read, name);
      if (release?.kind !== 'release') throw notFound();
      const [one] = await filled(actor, [release]);
      if (one === undefined) throw notFound();
      return one;
    },

    page: async (actor: Actor, filter: ReleaseFilter, order: ReleaseOrder, page: Page) => ({
      releases: await filled(actor, await releases(actor).search(database.read, filter, order, page)),
      total: await releases(actor).count(database.read, filter),
    }),

    setNotes: (actor: Actor, name: string, notes: string): Promise<void> => {
      const checked = checkedNotes(notes);
      return database.unitOfWork(async (tx) => {
        if ((await releases(actor).get(tx, name)) === undefined) throw notFound();
        const time = clock();
        await all(actor).setNotes(tx, name, checked, time);
        await recordChange(tx, actor, { kind: 'release.updated', ref: name, time });
      });
    },

    replaceTags: (actor: Actor, name: string, tags: readonly string[]): Promise<void> => {
      const checked = checkedTags(tags);
      return database.unitOfWork(async (tx) => {
        if ((await releases(actor).get(tx, name)) === undefined) throw notFound();
        const time = clock();
        await all(actor).replaceTags(tx, name, checked, time);
        if ((await all(actor).countTags(tx)) > maxTagsPerTenant) {
          throw new ServerError(
            'conflict',
            `the releases have more than ${maxTagsPerTenant} different tags together`,
          );
        }
        await recordChange(tx, actor, { kind: 'release.updated', ref: name, time });
      });
    },

    /** All or none. Names that are no release, or none that the actor sees, are passed over. */
    remove: async (actor: Actor, names: readonly string[]): Promise<void> => {
      if (names.length === 0) throw new ServerError('badRequest', 'name the releases to be deleted: ?name=');
      const removed = await database.unitOfWork(async (tx) => {
        const own = await artifacts(actor).named(tx, names);
        const active = await activeDeploymentsOf(
          tx,
          actor.tenant,
          own.map(({ id }) => id),
        );
        if (active.length > 0) {
          throw new ServerError('conflict', 'release(s) used in active deployment', {
            details: { active_deployments: [...active] },
          });
        }
        const time = clock();
        const objects: ObjectKey[] = [];
        for (const artifact of own) objects.push(await removeArtifact(tx, actor, artifact, time));
        return objects;
      });
      for (const object of removed) await dropObject(storage, log, object);
    },

    tags: (actor: Actor, kind?: SoftwareKind): Promise<string[]> =>
      releases(actor).allTags(database.read, kind),
    payloadTypes: (actor: Actor): Promise<string[]> => artifacts(actor).payloadTypes(database.read),
  };
}

function withArtifacts(release: Release, all: readonly StoredArtifact[]): ReleaseWithArtifacts {
  const own = all.filter(({ facts }) => facts.name === release.name);
  return {
    ...release,
    artifacts: own.map(artifactImage),
    deviceTypes: [...new Set(own.flatMap(({ facts }) => facts.deviceTypes))].toSorted(),
  };
}

const notFound = () => new ServerError('notFound', 'release not found');
