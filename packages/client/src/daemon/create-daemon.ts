import { ClientError } from '../client-error.ts';
import type { DeploymentNeeds } from '../deployment/deployment-needs.ts';
import type { InventoryAttribute, ServerConnection } from '../server-connection/server-connection.ts';
import { onceSchedule, residentSchedule, type ScheduleIntervals } from './schedule.ts';
import { runManaged } from './run-managed.ts';

export interface DaemonNeeds extends DeploymentNeeds {
  readonly server: ServerConnection;
  readonly inventory: (signal: AbortSignal) => Promise<readonly InventoryAttribute[]>;
  readonly schedule: ScheduleIntervals;
}

/** The managed client. Nothing happens before one of the two runs is called. */
export interface Daemon {
  /** Polls at the configured intervals until aborted; then resolves. An update in flight goes on at the next start. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * For a timer: finishes an update in flight, sends the inventory, polls once, runs the deployment to its end or its reboot. Resolves
   * when nothing is left to do, or when aborted; rejects with `serverNotReached` when the poll failed.
   */
  runOnce(signal: AbortSignal): Promise<void>;
  /** The next poll is due now. Only for `run`. */
  checkForDeployment(): void;
  sendInventory(): void;
}

export function createDaemon(needs: DaemonNeeds): Daemon {
  const resident = residentSchedule(needs.schedule, needs.system.clock);
  return {
    run: (signal) => runManaged(needs, resident, signal),
    runOnce: async (signal) => {
      const once = onceSchedule();
      await runManaged(needs, once, signal);
      if (once.pollFailed() && !signal.aborted) {
        throw new ClientError(
          'serverNotReached',
          'Could not ask the server for a deployment; the log says why.',
        );
      }
    },
    checkForDeployment: () => resident.now('deploymentPoll'),
    sendInventory: () => resident.now('inventoryPoll'),
  };
}
