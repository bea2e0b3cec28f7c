import type { Actor } from '../actor.ts';
import type { Change } from '../database/change-log.ts';
import type { Reader } from '../database/tables.ts';
import { deploymentStore } from '../deployments/deployment-store.ts';
import { deviceStore } from '../device-auth/device-store.ts';
import { artifactStore } from '../releases/artifact-store.ts';
import { visibleDevices, visibleReleases } from '../visibility.ts';
import { changedThing, type ChangeRef } from './change-kinds.ts';

/**
 * Those of the changes that are of something the actor sees now (visibility.ts). What is gone by now is seen by nobody who has a
 * scope: he does not learn of it.
 */
export async function visibleChanges(
  db: Reader,
  actor: Actor,
  changes: readonly Change[],
): Promise<readonly Change[]> {
  if (actor.scope.groups === 'all' && actor.scope.tags === 'all') return changes;
  const ids = (wanted: ChangeRef) => [
    ...new Set(changes.flatMap(({ kind, ref }) => (changedThing(kind)?.ref === wanted ? [ref] : []))),
  ];
  const parts = ids('part').map(partOf);
  const seen = {
    device: await visibleDevices(db, actor, [...ids('device'), ...parts.map(({ deviceId }) => deviceId)]),
    deployment: await seenDeployments(db, actor, [
      ...ids('deployment'),
      ...parts.flatMap(({ deploymentId }) => deploymentId ?? []),
    ]),
    authSet: await seenSets(db, actor, ids('authSet')),
    release: await visibleReleases(db, actor, ids('release')),
    artifact: await seenArtifacts(db, actor, ids('artifact')),
  };
  return changes.filter(({ kind, ref }) => {
    const refIs = changedThing(kind)?.ref;
    switch (refIs) {
      case undefined:
        return false;
      case 'ofAll':
        return true;
      case 'part': {
        const { deploymentId, deviceId } = partOf(ref);
        return seen.device.has(deviceId) && (deploymentId === undefined || seen.deployment.has(deploymentId));
      }
      case 'artifact':
      case 'authSet':
      case 'deployment':
      case 'device':
      case 'release':
        return seen[refIs].has(ref);
    }
  });
}

function partOf(ref: string): { deploymentId: string | undefined; deviceId: string } {
  const slash = ref.indexOf('/');
  return slash === -1
    ? { deploymentId: undefined, deviceId: ref }
    : { deploymentId: ref.slice(0, slash), deviceId: ref.slice(slash + 1) };
}

const seenDeployments = async (db: Reader, actor: Actor, ids: readonly string[]) =>
  new Set((await deploymentStore.seenBy(actor).getMany(db, ids)).map(({ id }) => id));

const seenSets = async (db: Reader, actor: Actor, ids: readonly string[]) =>
  new Set((await deviceStore.seenBy(actor).authSets(db, ids)).map(({ id }) => id));

const seenArtifacts = async (db: Reader, actor: Actor, ids: readonly string[]) =>
  new Set((await artifactStore.seenBy(actor).getMany(db, ids)).map(({ id }) => id));
