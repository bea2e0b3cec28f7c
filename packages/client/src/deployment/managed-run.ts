import type { Backoff } from '../daemon/backoff.ts';
import type { Schedule } from '../daemon/schedule.ts';
import type { Release, TakeUpdateLock } from '../provides-store/update-lock.ts';
import type { InventoryAttribute, ServerConnection } from '../server-connection/server-connection.ts';
import type { DeploymentLog } from './deployment-log.ts';
import type { DeploymentRun } from './deployment-run.ts';

/** A run of the daemon: it also waits for work, and the server is told. */
export interface ManagedRun extends DeploymentRun {
  readonly server: ServerConnection;
  readonly inventory: (signal: AbortSignal) => Promise<readonly InventoryAttribute[]>;
  readonly schedule: Schedule;
  /** Waiting times between attempts at one report. */
  readonly newBackoff: () => Backoff;
  readonly takeLock: TakeUpdateLock;
  release: Release | undefined;
  deploymentLog: DeploymentLog | undefined;
}
