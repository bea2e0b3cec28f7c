import { randomUUID } from 'node:crypto';
import type { Configuration } from '@tandem/api';
import type { Actor } from '../actor.ts';
import { recordChange } from '../database/change-log.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import { singlePhase } from './deployment-phases.ts';
import { deploymentStatisticsStore } from './deployment-statistics-store.ts';
import { deploymentStore } from './deployment-store.ts';
import { deploymentTargetStore } from './deployment-target-store.ts';

export interface WantedConfigurationDeployment {
  readonly deviceId: string;
  readonly configuration: Configuration;
  /** The static group the device is in now. */
  readonly group: string | null;
  readonly now: number;
}

/**
 * Begins the deployment of a configuration to one device, and returns its id (server contract 6). The configuration is kept as it
 * is now: what is changed later is deployed by another.
 */
export async function beginConfigurationDeployment(
  tx: Transaction,
  actor: Actor,
  { deviceId, configuration, group, now }: WantedConfigurationDeployment,
): Promise<string> {
  const { tenant } = actor;
  const deployments = deploymentStore.forTenant(tenant);
  const id = randomUUID();
  const created = Math.max(now, ((await deployments.latestCreated(tx)) ?? 0) + 1);
  await deployments.insert(
    tx,
    {
      id,
      name: `configuration-${id}`,
      artifactName: `configuration-${id}`,
      kind: 'configuration',
      created,
      finished: null,
      aborted: null,
      status: 'pending',
      maxDevices: 1,
      deviceCount: 0,
      forceInstallation: false,
      target: { kind: 'devices', deviceIds: 'listed' },
      groups: group === null ? [] : [group],
      totalSizeBytes: 0,
    },
    // A configuration may be deployed again while it is: its own id is like no other.
    { fingerprint: id, artifactIds: [], phases: singlePhase(created) },
  );
  await deploymentTargetStore.forTenant(tenant).insert(tx, id, [deviceId]);
  await deploymentStatisticsStore.forTenant(tenant).insert(tx, id, 1);
  await tx
    .insertInto('deployment_configurations')
    .values({ tenant, deployment_id: id, configuration: JSON.stringify(configuration) })
    .execute();
  await recordChange(tx, actor, { kind: 'deployment.created', ref: id, time: now });
  return id;
}

/** Of those of the deployments that bring one. */
export async function configurationsOf(
  reader: Reader,
  tenant: string,
  deploymentIds: readonly string[],
): Promise<ReadonlyMap<string, Configuration>> {
  if (deploymentIds.length === 0) return new Map();
  const rows = await reader
    .selectFrom('deployment_configurations')
    .where('tenant', '=', tenant)
    .where('deployment_id', 'in', deploymentIds)
    .select(['deployment_id', 'configuration'])
    .execute();
  return new Map(
    // Written by `beginConfigurationDeployment` alone.
    rows.map(({ deployment_id, configuration }) => [
      deployment_id,
      JSON.parse(configuration) as Configuration,
    ]),
  );
}
