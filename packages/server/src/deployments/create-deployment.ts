import { randomUUID } from 'node:crypto';
import { setImmediate as othersTurn } from 'node:timers/promises';
import type { Actor } from '../actor.ts';
import { changesAfter, recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Transaction } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { firstPhaseStarted, singlePhase } from './deployment-phases.ts';
import { deploymentStatisticsStore } from './deployment-statistics-store.ts';
import { deploymentStore } from './deployment-store.ts';
import { deploymentTargetStore } from './deployment-target-store.ts';
import { idsPerChunk, type DeploymentTarget } from './deployment-target.ts';
import type { DeploymentNeeds } from './deployments.ts';
import { endPartsOfDecommissioned } from './device-reports.ts';
import { fingerprint, type WantedDeployment } from './new-deployment.ts';
import { targeted, type Targeted } from './targeted.ts';

/** So many devices a unit of work; a deployment for more is written in several, which nobody sees before the last. */
const devicesPerUnit = 10 * idsPerChunk;
/** What was being prepared then was given up: its server is gone. */
const longestPreparationMs = 60 * 60 * 1000;
const changesPerPage = 1000;

/**
 * Returns the id. Who is targeted is settled here, for good: whoever joins the group later is not, whoever leaves it still is.
 * Throws `forbidden`, `badRequest`, `unprocessable`, `conflict`.
 */
export async function createDeployment(
  needs: DeploymentNeeds,
  actor: Actor,
  wanted: WantedDeployment,
): Promise<string> {
  const { database } = needs;
  // Of a list there is nothing to look for; all devices, or a group of most of them, are found beside the polls.
  const reader = wanted.devices.kind === 'list' ? database.read : database.search;
  const whom = await targeted(needs, reader, actor, wanted, othersTurn);
  if (whom.deviceIds.length > devicesPerUnit) return createLarge(needs, actor, wanted, whom);
  const id = randomUUID();
  return database.unitOfWork(async (tx) => {
    // Anew: by now it may be others.
    const now = await targeted(needs, tx, actor, wanted);
    await begin(needs, tx, actor, { id, wanted, whom: now });
    await deploymentTargetStore.forTenant(actor.tenant).insert(tx, id, now.deviceIds);
    return id;
  });
}

/** Writes the targets in several units of work, and begins the deployment with the last. */
async function createLarge(
  needs: DeploymentNeeds,
  actor: Actor,
  wanted: WantedDeployment,
  whom: Targeted,
): Promise<string> {
  const { database, clock } = needs;
  const store = deploymentStore.forTenant(actor.tenant);
  const targets = deploymentTargetStore.forTenant(actor.tenant);
  for (const given of await store.preparedBefore(database.read, clock() - longestPreparationMs)) {
    await database.unitOfWork((tx) => store.deletePrepared(tx, given));
  }
  const id = randomUUID();
  const since = await database.settledChanges();
  await database.unitOfWork(async (tx) => {
    const created = Math.max(clock(), ((await store.latestCreated(tx)) ?? 0) + 1);
    await store.prepare(tx, id, created);
  });
  try {
    const { deviceIds } = whom;
    for (let start = 0; start < deviceIds.length; start += devicesPerUnit) {
      const some = deviceIds.slice(start, start + devicesPerUnit);
      await database.unitOfWork((tx) => targets.insert(tx, id, some));
      await othersTurn();
    }
    await database.unitOfWork((tx) => begin(needs, tx, actor, { id, wanted, whom }));
  } catch (error) {
    await database.unitOfWork((tx) => store.deletePrepared(tx, id));
    throw error;
  }
  await endDecommissionedSince(database, actor, since, clock());
  return id;
}

/** Devices that were decommissioned while targets were written found no deployment to leave; none is to wait for them. */
async function endDecommissionedSince(
  database: Database,
  actor: Actor,
  since: number,
  now: number,
): Promise<void> {
  for (let sequence = since; ;) {
    const changes = await changesAfter(database, actor.tenant, sequence, changesPerPage);
    const gone = changes.filter(({ kind }) => kind === 'device.decommission');
    if (gone.length > 0) {
      await database.unitOfWork(async (tx) => {
        for (const { ref } of gone) await endPartsOfDecommissioned(tx, actor, ref, now);
      });
    }
    const last = changes.at(-1);
    if (last === undefined || changes.length < changesPerPage) return;
    sequence = last.sequence;
  }
}

/** Everything of a deployment but its targets. */
async function begin(
  needs: DeploymentNeeds,
  tx: Transaction,
  actor: Actor,
  { id, wanted, whom }: { readonly id: string; readonly wanted: WantedDeployment; readonly whom: Targeted },
): Promise<void> {
  const store = deploymentStore.forTenant(actor.tenant);
  const artifacts = await needs.artifactsNamed(tx, actor.tenant, wanted.artifactName);
  if (artifacts.length === 0) throw new ServerError('unprocessable', 'No artifact for the deployment');
  const print = fingerprint(wanted, whom.deviceIds);
  if (await store.hasActiveFingerprint(tx, print)) {
    throw new ServerError(
      'conflict',
      'Invalid deployment definition: there is already an active deployment with the same parameters',
    );
  }
  const now = needs.clock();
  // Later than every other: devices get deployments in this order, and two of one instant would have none.
  const created = Math.max(now, ((await store.latestCreated(tx)) ?? 0) + 1);
  const phases = singlePhase(created);
  await store.insert(
    tx,
    {
      id,
      name: wanted.name,
      artifactName: wanted.artifactName,
      kind: 'software',
      created,
      finished: null,
      aborted: null,
      status: firstPhaseStarted(phases, created) ? 'pending' : 'scheduled',
      maxDevices: whom.deviceIds.length,
      deviceCount: 0,
      forceInstallation: wanted.forceInstallation,
      target: targetOf(wanted),
      groups: whom.groups,
      totalSizeBytes: 0,
    },
    { fingerprint: print, artifactIds: artifacts.map((artifact) => artifact.id), phases },
  );
  await deploymentStatisticsStore.forTenant(actor.tenant).insert(tx, id, whom.deviceIds.length);
  await recordChange(tx, actor, { kind: 'deployment.created', ref: id, time: now });
}

function targetOf({ devices }: WantedDeployment): DeploymentTarget {
  switch (devices.kind) {
    case 'list':
      return { kind: 'devices', deviceIds: 'listed' };
    case 'all':
      return { kind: 'devices', deviceIds: 'all' };
    case 'group':
      return { kind: 'group', group: devices.group };
  }
}
