import type { Kysely } from 'kysely';
import type { DeploymentTables } from '../deployments/deployment-tables.ts';
import type { DeviceAuthTables } from '../device-auth/device-auth-tables.ts';
import type { DeviceConfigurationTables } from '../device-configuration/device-configuration-tables.ts';
import type { InventoryTables } from '../inventory/inventory-tables.ts';
import type { ReleaseTables } from '../releases/release-tables.ts';
import type { UserTables } from '../users/user-tables.ts';
import type { ChangeLogTables } from './change-log.ts';

/** Every table; each domain writes its own part beside its store. */
export interface Tables
  extends
    TenantTables,
    ChangeLogTables,
    DeviceAuthTables,
    InventoryTables,
    UserTables,
    ReleaseTables,
    DeploymentTables,
    DeviceConfigurationTables {}

export interface TenantTables {
  tenants: { id: string; name: string; created: number };
  /** Small facts of the installation that are not a tenant's: which migrations ran. */
  migrations: { number: number; name: string; applied: number };
}

/** Committed state; for reading outside of a unit of work. */
export type Reader = Kysely<Tables>;

declare const insideUnitOfWork: unique symbol;

/** The connection inside `unitOfWork`, which alone makes one: stores write through it, and never begin a transaction. */
export type Transaction = Reader & { readonly [insideUnitOfWork]: true };
