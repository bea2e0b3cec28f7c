import type { Page } from '@tandem/api';
import { sql, type SelectQueryBuilder } from 'kysely';
import type { Actor } from '../actor.ts';
import { engineOf } from '../database/sql-differences.ts';
import type { Reader, Tables, Transaction } from '../database/tables.ts';
import { isVisibleRelease } from '../visibility.ts';
import type { ArtifactFacts } from './artifact-facts.ts';
import type { StoredArtifact } from './artifact-image.ts';

/** How a text filter means its value. `contains` does not mind case. */
export type TextMatch = { readonly kind: 'contains' | 'equals' | 'prefix'; readonly text: string };

export interface ArtifactFilter {
  readonly names?: readonly TextMatch[] | undefined;
  readonly description?: TextMatch | undefined;
  readonly deviceType?: TextMatch | undefined;
}

export interface ArtifactOrder {
  readonly by: 'name' | 'modified';
  readonly direction: 'asc' | 'desc';
}

export interface NewArtifact extends StoredArtifact {
  readonly combinations: readonly string[];
  /** Of the whole file, hexadecimal. */
  readonly sha256: string;
}

/** SQL on artifacts of one tenant, or on those that an actor sees. Those that were deleted are found by id alone. */
export const artifactStore = {
  seenBy: (actor: Actor) => ({
    ...pointReads((reader) => visible(reader, actor)),

    /** `page` undefined: all of them. One row more than the page holds, to tell whether there is a next. */
    search: async (
      reader: Reader,
      filter: ArtifactFilter,
      order: ArtifactOrder,
      page?: Page,
    ): Promise<readonly StoredArtifact[]> => {
      const query = filtered(reader, actor, filter).orderBy(order.by, order.direction).orderBy('id');
      return withFacts(page === undefined ? query : query.limit(page.perPage + 1).offset(page.offset));
    },

    count: async (reader: Reader, filter: ArtifactFilter): Promise<number> => {
      const found = await filtered(reader, actor, filter)
        .select((select) => select.fn.countAll<number>().as('count'))
        .executeTakeFirst();
      return Number(found?.count ?? 0);
    },

    payloadTypes: async (reader: Reader): Promise<string[]> => {
      const isSeen = isVisibleRelease(engineOf(reader), actor, sql.ref('artifacts.name'));
      const found = await reader
        .selectFrom('artifact_payload_types')
        .where('artifact_payload_types.tenant', '=', actor.tenant)
        .$if(isSeen.length > 0, (query) =>
          query.where('artifact_payload_types.artifact_id', 'in', visible(reader, actor).select('id')),
        )
        .select('payload_type')
        .distinct()
        .orderBy('payload_type')
        .execute();
      return found.map(({ payload_type }) => payload_type);
    },
  }),

  forTenant: (tenant: string) => ({
    ...pointReads((reader) => rows(reader, tenant)),

    idTaken: async (reader: Reader, id: string): Promise<boolean> =>
      (await rows(reader, tenant).where('id', '=', id).select('id').executeTakeFirst()) !== undefined,

    conflict: (reader: Reader, name: string, combinations: readonly string[]) =>
      reader
        .selectFrom('artifact_depends')
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .where('combination', 'in', combinations)
        .select(['combination', 'artifact_id'])
        .executeTakeFirst(),

    insert: async (tx: Transaction, artifact: NewArtifact): Promise<void> => {
      const { id, description, sizeBytes, modified, facts, combinations, objectId, sha256 } = artifact;
      const { name } = facts;
      const key = { tenant, artifact_id: id };
      await tx
        .insertInto('artifacts')
        .values({
          tenant,
          id,
          name,
          description,
          size_bytes: sizeBytes,
          modified,
          deleted: null,
          facts: JSON.stringify(facts),
        })
        .execute();
      await tx
        .insertInto('artifact_objects')
        .values({ ...key, object_id: objectId, sha256 })
        .execute();
      await tx
        .insertInto('artifact_depends')
        .values(combinations.map((combination) => ({ ...key, name, combination })))
        .execute();
      await tx
        .insertInto('artifact_device_types')
        .values([...new Set(facts.deviceTypes)].map((device_type) => ({ ...key, device_type })))
        .execute();
      const payloadTypes = new Set(facts.payloads.flatMap(({ type }) => type ?? []));
      if (payloadTypes.size > 0) {
        await tx
          .insertInto('artifact_payload_types')
          .values([...payloadTypes].map((payload_type) => ({ ...key, payload_type })))
          .execute();
      }
    },

    describe: (tx: Transaction, id: string, description: string, modified: number) =>
      tx
        .updateTable('artifacts')
        .set({ description, modified })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute(),

    /** The row stays for the history of devices; the name and its combinations are free again. */
    markDeleted: async (tx: Transaction, id: string, now: number): Promise<void> => {
      await tx
        .updateTable('artifacts')
        .set({ deleted: now })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute();
      for (const table of [
        'artifact_objects',
        'artifact_depends',
        'artifact_device_types',
        'artifact_payload_types',
      ] as const) {
        await tx.deleteFrom(table).where('tenant', '=', tenant).where('artifact_id', '=', id).execute();
      }
    },

    /** Whether an artifact that is not deleted has its bytes in this object. */
    isObjectUsed: async (reader: Reader, objectId: string): Promise<boolean> =>
      (await rows(reader, tenant)
        .where('deleted', 'is', null)
        .where((where) =>
          where.or([where('id', '=', objectId), where('id', 'in', artifactsIn(reader, tenant, objectId))]),
        )
        .where(objectIdOf, '=', objectId)
        .select('id')
        .executeTakeFirst()) !== undefined,

    usageBytes: async (reader: Reader): Promise<number> => {
      const found = await rows(reader, tenant)
        .where('deleted', 'is', null)
        .select((select) => select.fn.sum<number | null>('size_bytes').as('bytes'))
        .executeTakeFirst();
      return Number(found?.bytes ?? 0);
    },
  }),
};

export type ArtifactStore = ReturnType<(typeof artifactStore)['forTenant']>;

const rows = (reader: Reader, tenant: string) => reader.selectFrom('artifacts').where('tenant', '=', tenant);

const visible = (reader: Reader, actor: Actor) =>
  rows(reader, actor.tenant).where((where) =>
    where.and(isVisibleRelease(engineOf(reader), actor, sql.ref('artifacts.name'))),
  );

/** Reading by id and by name, in the rows that are given. */
const pointReads = (from: (reader: Reader) => SelectQueryBuilder<Tables, 'artifacts', object>) => ({
  get: async (reader: Reader, id: string): Promise<StoredArtifact | undefined> =>
    (await withFacts(from(reader).where('id', '=', id).where('deleted', 'is', null)))[0],

  /** By id, deleted ones included: the history of a device names what it installed. */
  getMany: async (reader: Reader, ids: readonly string[]): Promise<readonly StoredArtifact[]> =>
    ids.length === 0 ? [] : withFacts(from(reader).where('id', 'in', ids)),

  named: async (reader: Reader, names: readonly string[]): Promise<readonly StoredArtifact[]> =>
    names.length === 0
      ? []
      : withFacts(from(reader).where('deleted', 'is', null).where('name', 'in', names).orderBy('id')),
});

/** Artifacts of older servers lie under their own id. */
const objectIdOf = sql<string>`coalesce((
  SELECT object_id FROM artifact_objects AS o WHERE o.tenant = artifacts.tenant AND o.artifact_id = artifacts.id
), artifacts.id)`;

const artifactsIn = (reader: Reader, tenant: string, objectId: string) =>
  reader
    .selectFrom('artifact_objects')
    .where('tenant', '=', tenant)
    .where('object_id', '=', objectId)
    .select('artifact_id');

function filtered(reader: Reader, actor: Actor, { names, description, deviceType }: ArtifactFilter) {
  let query = visible(reader, actor).where('deleted', 'is', null);
  if (names !== undefined && names.length > 0) {
    query = query.where((where) => where.or(names.map((match) => matches('artifacts.name', match))));
  }
  if (description !== undefined) query = query.where(matches('artifacts.description', description));
  if (deviceType !== undefined) {
    query = query.where((where) =>
      where.exists(
        where
          .selectFrom('artifact_device_types')
          .select('device_type')
          .where('artifact_device_types.tenant', '=', actor.tenant)
          .whereRef('artifact_device_types.artifact_id', '=', 'artifacts.id')
          .where(matches('artifact_device_types.device_type', deviceType)),
      ),
    );
  }
  return query;
}

/** LIKE minds no case on one engine and minds it on the other: a prefix is compared as a piece of the text instead. */
export function matches(column: string, { kind, text }: TextMatch) {
  const value = sql.ref(column);
  switch (kind) {
    case 'equals':
      return sql<boolean>`${value} = ${text}`;
    case 'prefix':
      return sql<boolean>`substr(${value}, 1, length(${text})) = ${text}`;
    case 'contains':
      return sql<boolean>`lower(${value}) like lower(${`%${text.replaceAll(/[\\%_]/g, '\\$&')}%`}) escape '\\'`;
  }
}

async function withFacts(
  query: SelectQueryBuilder<Tables, 'artifacts', object>,
): Promise<readonly StoredArtifact[]> {
  const found = await query
    .select(['id', 'description', 'size_bytes', 'modified', 'facts', objectIdOf.as('object_id')])
    .execute();
  return found.map(({ id, description, size_bytes, modified, facts, object_id }) => ({
    id,
    objectId: object_id,
    description,
    sizeBytes: size_bytes,
    modified,
    // Written by `insert` alone.
    facts: JSON.parse(facts) as ArtifactFacts,
  }));
}
