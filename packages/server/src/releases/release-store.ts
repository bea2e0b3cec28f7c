import type { Page } from '@tandem/api';
import { sql, type ExpressionBuilder } from 'kysely';
import type { Actor } from '../actor.ts';
import { engineOf } from '../database/sql-differences.ts';
import type { Reader, Tables, Transaction } from '../database/tables.ts';
import { isVisibleRelease } from '../visibility.ts';
import { matches, type TextMatch } from './artifact-store.ts';

export type SoftwareKind = 'release' | 'manifest';

export interface ReleaseFilter {
  readonly kind?: SoftwareKind | undefined;
  readonly names?: readonly TextMatch[] | undefined;
  /** Any of them. */
  readonly tags?: readonly string[] | undefined;
  readonly description?: TextMatch | undefined;
  readonly deviceType?: string | undefined;
  readonly payloadType?: string | undefined;
}

export interface ReleaseOrder {
  readonly by: 'name' | 'modified' | 'artifacts_count' | 'tags';
  readonly direction: 'asc' | 'desc';
}

export interface Release {
  readonly name: string;
  readonly kind: SoftwareKind;
  readonly notes: string;
  readonly modified: number;
  readonly artifactsCount: number;
  readonly tags: readonly string[];
}

/** SQL on releases of one tenant, or on those that an actor sees: a release is there while it has artifacts. */
export const releaseStore = {
  seenBy: (actor: Actor) => ({
    get: async (reader: Reader, name: string): Promise<Release | undefined> =>
      (await withTags(reader, actor, await selected(reader, actor).where('name', '=', name).execute()))[0],

    search: async (
      reader: Reader,
      filter: ReleaseFilter,
      order: ReleaseOrder,
      page: Page,
    ): Promise<readonly Release[]> => {
      const found = await selected(reader, actor)
        .where((where) => where.and(conditions(where, actor.tenant, filter)))
        .orderBy(order.by === 'tags' ? firstTag(actor.tenant) : sql.ref(order.by), order.direction)
        .orderBy('name')
        .limit(page.perPage)
        .offset(page.offset)
        .execute();
      return withTags(reader, actor, found);
    },

    count: async (reader: Reader, filter: ReleaseFilter): Promise<number> => {
      const found = await visible(reader, actor)
        .where((where) => where.and(conditions(where, actor.tenant, filter)))
        .select((select) => select.fn.countAll<number>().as('count'))
        .executeTakeFirst();
      return Number(found?.count ?? 0);
    },

    /** In use by any of the releases, or by those of one kind; sorted. */
    allTags: async (reader: Reader, kind?: SoftwareKind): Promise<string[]> => {
      const found = await reader
        .selectFrom('release_tags')
        .innerJoin('releases', (join) =>
          join
            .onRef('releases.tenant', '=', 'release_tags.tenant')
            .onRef('releases.name', '=', 'release_tags.release_name'),
        )
        .where('release_tags.tenant', '=', actor.tenant)
        .where((where) =>
          where.and(isVisibleRelease(engineOf(reader), actor, sql.ref('release_tags.release_name'))),
        )
        .$if(kind !== undefined, (query) => query.where('releases.kind', '=', kind ?? 'release'))
        .select('release_tags.tag')
        .distinct()
        .orderBy('release_tags.tag')
        .execute();
      return found.map(({ tag }) => tag);
    },
  }),

  forTenant: (tenant: string) => ({
    artifactAdded: (tx: Transaction, release: { name: string; kind: SoftwareKind; modified: number }) =>
      tx
        .insertInto('releases')
        .values({ tenant, ...release, notes: '', artifacts_count: 1 })
        .onConflict((conflict) =>
          conflict.columns(['tenant', 'name']).doUpdateSet({
            modified: release.modified,
            artifacts_count: sql<number>`releases.artifacts_count + 1`,
          }),
        )
        .execute(),

    artifactRemoved: async (tx: Transaction, name: string, modified: number): Promise<void> => {
      await tx
        .updateTable('releases')
        .set({ modified, artifacts_count: sql<number>`artifacts_count - 1` })
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .execute();
      await tx
        .deleteFrom('releases')
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .where('artifacts_count', '<=', 0)
        .execute();
    },

    setNotes: (tx: Transaction, name: string, notes: string, modified: number) =>
      tx
        .updateTable('releases')
        .set({ notes, modified })
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .execute(),

    replaceTags: async (
      tx: Transaction,
      name: string,
      tags: readonly string[],
      modified: number,
    ): Promise<void> => {
      await tx
        .deleteFrom('release_tags')
        .where('tenant', '=', tenant)
        .where('release_name', '=', name)
        .execute();
      if (tags.length > 0) {
        await tx
          .insertInto('release_tags')
          .values(tags.map((tag) => ({ tenant, release_name: name, tag })))
          .execute();
      }
      await tx
        .updateTable('releases')
        .set({ modified })
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .execute();
    },

    /** How many different ones the releases have together. */
    countTags: async (reader: Reader): Promise<number> => {
      const found = await reader
        .selectFrom('release_tags')
        .where('tenant', '=', tenant)
        .select((select) => select.fn.count<number>('tag').distinct().as('count'))
        .executeTakeFirst();
      return Number(found?.count ?? 0);
    },
  }),
};

const visible = (reader: Reader, actor: Actor) =>
  reader
    .selectFrom('releases')
    .where('tenant', '=', actor.tenant)
    .where((where) => where.and(isVisibleRelease(engineOf(reader), actor, sql.ref('releases.name'))));

const selected = (reader: Reader, actor: Actor) =>
  visible(reader, actor).select(['name', 'kind', 'notes', 'modified', 'artifacts_count']);

const firstTag = (tenant: string) =>
  sql`coalesce((select min(tag) from release_tags where release_tags.tenant = ${tenant} and release_name = releases.name), '')`;

function conditions(where: ExpressionBuilder<Tables, 'releases'>, tenant: string, filter: ReleaseFilter) {
  const { kind, names, tags, description, deviceType, payloadType } = filter;
  const ofRelease = () =>
    where
      .selectFrom('artifacts')
      .where('artifacts.tenant', '=', tenant)
      .where('artifacts.deleted', 'is', null)
      .whereRef('artifacts.name', '=', 'releases.name')
      .select('artifacts.id');
  return [
    ...(kind === undefined ? [] : [where('releases.kind', '=', kind)]),
    ...(names === undefined || names.length === 0
      ? []
      : [where.or(names.map((match) => matches('releases.name', match)))]),
    ...(tags === undefined || tags.length === 0
      ? []
      : [
          where.exists(
            where
              .selectFrom('release_tags')
              .where('release_tags.tenant', '=', tenant)
              .whereRef('release_tags.release_name', '=', 'releases.name')
              .where('release_tags.tag', 'in', tags)
              .select('release_tags.tag'),
          ),
        ]),
    ...(description === undefined
      ? []
      : [where.exists(ofRelease().where(matches('artifacts.description', description)))]),
    ...(deviceType === undefined
      ? []
      : [
          where.exists(
            ofRelease()
              .innerJoin('artifact_device_types', (join) =>
                join
                  .onRef('artifact_device_types.tenant', '=', 'artifacts.tenant')
                  .onRef('artifact_device_types.artifact_id', '=', 'artifacts.id'),
              )
              .where('artifact_device_types.device_type', '=', deviceType),
          ),
        ]),
    ...(payloadType === undefined
      ? []
      : [
          where.exists(
            ofRelease()
              .innerJoin('artifact_payload_types', (join) =>
                join
                  .onRef('artifact_payload_types.tenant', '=', 'artifacts.tenant')
                  .onRef('artifact_payload_types.artifact_id', '=', 'artifacts.id'),
              )
              .where('artifact_payload_types.payload_type', '=', payloadType),
          ),
        ]),
  ];
}

type ReleaseRow = Omit<Tables['releases'], 'tenant'>;

async function withTags(reader: Reader, { tenant }: Actor, found: readonly ReleaseRow[]): Promise<Release[]> {
  if (found.length === 0) return [];
  const tags = await reader
    .selectFrom('release_tags')
    .where('tenant', '=', tenant)
    .where(
      'release_name',
      'in',
      found.map(({ name }) => name),
    )
    .select(['release_name', 'tag'])
    .orderBy('tag')
    .execute();
  return found.map(({ name, kind, notes, modified, artifacts_count }) => ({
    name,
    kind,
    notes,
    modified,
    artifactsCount: artifacts_count,
    tags: tags.filter(({ release_name }) => release_name === name).map(({ tag }) => tag),
  }));
}
