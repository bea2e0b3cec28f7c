import type { Configuration } from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { seesDevice } from '../visibility.ts';
import { deviceConfigurationStore, type StoredConfiguration } from './device-configuration-store.ts';

export interface DeviceConfigurationNeeds {
  readonly database: Database;
  readonly clock: Clock;
  /** Begins a deployment to one device, in the unit of work given; returns its id. */
  readonly deploy: (
    tx: Transaction,
    actor: Actor,
    wanted: { readonly deviceId: string; readonly configuration: Configuration },
  ) => Promise<string>;
}

export type DeviceConfigurations = ReturnType<typeof createDeviceConfigurations>;

/** What is wanted of devices, and what they have (server contract 6). */
export function createDeviceConfigurations({ database, clock, deploy }: DeviceConfigurationNeeds) {
  const store = (actor: Actor) => deviceConfigurationStore.forTenant(actor.tenant);

  const seen = async (
    db: Reader,
    actor: Actor,
    deviceId: string,
  ): Promise<StoredConfiguration | undefined> =>
    (await seesDevice(db, actor, deviceId)) ? store(actor).get(db, deviceId) : undefined;

  return {
    /** Throws `notFound` for a device that was never accepted and never configured. */
    get: async (actor: Actor, deviceId: string): Promise<StoredConfiguration> => {
      const found = await seen(database.read, actor, deviceId);
      if (found === undefined) throw notFound();
      return found;
    },

    /** Also before the device is known, which finds its configuration when it comes. Throws `notFound` for one beyond the scope. */
    configure: (actor: Actor, deviceId: string, configuration: Configuration): Promise<void> =>
      database.unitOfWork(async (tx) => {
        if (!(await seesDevice(tx, actor, deviceId))) throw notFound();
        const time = clock();
        await store(actor).setConfigured(tx, deviceId, configuration, time);
        await recordChange(tx, actor, { kind: 'device-configuration.updated', ref: deviceId, time });
      }),

    report: (actor: Actor, deviceId: string, configuration: Configuration): Promise<void> =>
      database.unitOfWork(async (tx) => {
        const time = clock();
        await store(actor).setReported(tx, deviceId, configuration, time);
        await recordChange(tx, actor, { kind: 'device-configuration.reported', ref: deviceId, time });
      }),

    /** Deploys what is wanted now; returns the deployment's id. Throws `notFound`. */
    deploy: (actor: Actor, deviceId: string): Promise<string> =>
      database.unitOfWork(async (tx) => {
        const found = await seen(tx, actor, deviceId);
        if (found === undefined) throw notFound();
        const id = await deploy(tx, actor, { deviceId, configuration: found.configured });
        await store(actor).setDeployment(tx, deviceId, id);
        await recordChange(tx, actor, {
          kind: 'device-configuration.deployed',
          ref: deviceId,
          time: clock(),
        });
        return id;
      }),

    /** To be called when a device is accepted; once is enough, again does nothing. */
    provide: async (tx: Transaction, actor: Actor, deviceId: string): Promise<void> => {
      await store(actor).insert(tx, deviceId, clock());
    },

    forget: async (tx: Transaction, actor: Actor, deviceId: string): Promise<void> => {
      await store(actor).delete(tx, deviceId);
    },
  };
}

const notFound = () => new ServerError('notFound', 'device does not exist');
