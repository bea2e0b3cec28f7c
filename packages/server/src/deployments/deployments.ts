import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader } from '../database/tables.ts';
import { abortDeployment, finishAborts } from './abort-deployment.ts';
import { createDeployment } from './create-deployment.ts';
import type { WantedDeployment } from './new-deployment.ts';
import type { DeployableArtifact } from './next-update.ts';
import type { TargetNeeds } from './targeted.ts';

/** What deployments ask of other domains. */
export interface DeploymentNeeds extends TargetNeeds {
  readonly database: Database;
  readonly clock: Clock;
  readonly artifactsNamed: (
    reader: Reader,
    tenant: string,
    name: string,
  ) => Promise<readonly DeployableArtifact[]>;
}

export type Deployments = ReturnType<typeof createDeployments>;

/** Beginning deployments and ending them (server contract 4.5, 4.7). */
export const createDeployments = (needs: DeploymentNeeds) => ({
  create: (actor: Actor, wanted: WantedDeployment) => createDeployment(needs, actor, wanted),
  abort: (actor: Actor, id: string) => abortDeployment(needs, actor, id),
  finishAborts: (signal: AbortSignal) => finishAborts(needs, signal),
});
