import { sql, type Expression, type SqlBool } from 'kysely';
import type { Actor } from './actor.ts';
import { engineOf, isTextIn, isWithin, type Engine } from './database/sql-differences.ts';
import type { Reader } from './database/tables.ts';
import { ServerError } from './server-error.ts';

/*
 * What an actor sees, by his scope (server contract 10.3). What he does not see is to him as if it were not there: lists and counts
 * leave it out, and reading or changing it ends as for an id that nothing has.
 *
 * - A device: when its static group is one of the scope's. One without a group is seen by those without a scope alone.
 * - A deployment: when it has groups, and all of them are the scope's. One for all devices, or for a list of several, has none: it may
 *   reach beyond the scope. Nobody begins a deployment that he would not see.
 * - A device's part in a deployment: when he sees both.
 * - A release, and its artifacts: when it has one of the scope's tags. Its artifacts that are deleted, as long as it is there.
 *   Nobody adds an artifact to a release that he does not see, nor begins or plans a deployment of one. That goes for a release that
 *   is not there yet, too: it would have no tags, and whoever made it would not see it. One with no bound begins and tags it; from
 *   then on the others add to it. Whoever sees a release may change its tags, as he may move a device out of his groups.
 *
 * What a deployment says of its release, its name and the ids of artifacts, is the deployment's; the artifacts themselves are shown
 * with it to those who see them.
 *
 * Scopes bound what users see, not what devices and the server itself do on the way. This is the one place where it is decided; it
 * may therefore look into tables of several domains. Conditions come as lists, which are empty for whoever has no scope: nothing is
 * asked of the database for him.
 */

type Condition = Expression<SqlBool>;

/** For what would make something that the actor does not see; in the reference's words. */
export const beyondScope = () => new ServerError('forbidden', 'forbidden by role-based access control');

/** `id` is an expression for the id of the device. */
export function isVisibleDevice(
  engine: Engine,
  { tenant, scope }: Actor,
  id: Expression<unknown>,
): readonly Condition[] {
  if (scope.groups === 'all') return [];
  const isInScope = isTextIn(engine, sql.ref('in_group.text_value'), scope.groups);
  return [
    sql<SqlBool>`${id} IN (
      SELECT in_group.device_id FROM inventory_values AS in_group
      WHERE in_group.tenant = ${tenant} AND in_group.scope = 'system' AND in_group.name = 'group' AND ${isInScope}
    )`,
  ];
}

/** On the columns of `deployments`. */
export const isVisibleDeployment = (engine: Engine, { scope }: Actor): readonly Condition[] =>
  scope.groups === 'all'
    ? []
    : [
        sql<SqlBool>`(deployments.group_names <> '[]' AND ${isWithin(engine, sql.ref('deployments.group_names'), scope.groups)})`,
      ];

/** The same of a deployment that was read, or is to be begun. */
export function seesDeployment(
  { scope }: Actor,
  { groups }: { readonly groups: readonly string[] },
): boolean {
  const own = scope.groups;
  return own === 'all' || (groups.length > 0 && groups.every((group) => own.includes(group)));
}

/** `name` is an expression for the name of the release. */
export function isVisibleRelease(
  engine: Engine,
  { tenant, scope }: Actor,
  name: Expression<unknown>,
): readonly Condition[] {
  if (scope.tags === 'all') return [];
  return [
    sql<SqlBool>`${name} IN (
      SELECT tagged.release_name FROM release_tags AS tagged
      WHERE tagged.tenant = ${tenant} AND ${isTextIn(engine, sql.ref('tagged.tag'), scope.tags)}
    )`,
  ];
}

/** Those of the devices that the actor sees; whether they exist is not looked at for whoever has no scope. */
export async function visibleDevices(
  db: Reader,
  actor: Actor,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (actor.scope.groups === 'all' || ids.length === 0) return new Set(ids);
  const id = sql.ref('inventory_devices.id');
  const engine = engineOf(db);
  let query = db.selectFrom('inventory_devices').where('inventory_devices.tenant', '=', actor.tenant);
  for (const one of [isTextIn(engine, id, ids), ...isVisibleDevice(engine, actor, id)])
    query = query.where(one);
  return new Set((await query.select('inventory_devices.id').execute()).map((row) => row.id));
}

export const seesDevice = async (db: Reader, actor: Actor, id: string): Promise<boolean> =>
  actor.scope.groups === 'all' || (await visibleDevices(db, actor, [id])).has(id);

/** Those of the releases that the actor sees, by name; whether they exist is not looked at for whoever has no scope. */
export async function visibleReleases(
  db: Reader,
  actor: Actor,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  if (actor.scope.tags === 'all' || names.length === 0) return new Set(names);
  const name = sql.ref('releases.name');
  const engine = engineOf(db);
  let query = db.selectFrom('releases').where('releases.tenant', '=', actor.tenant);
  for (const one of [isTextIn(engine, name, names), ...isVisibleRelease(engine, actor, name)])
    query = query.where(one);
  return new Set((await query.select('releases.name').execute()).map((row) => row.name));
}

export const seesRelease = async (db: Reader, actor: Actor, name: string): Promise<boolean> =>
  actor.scope.tags === 'all' || (await visibleReleases(db, actor, [name])).has(name);
