import { tenantsAndChangeLog } from './0001-tenants-and-change-log.ts';
import { deviceAuthentication } from './0002-device-authentication.ts';
import { inventory } from './0003-inventory.ts';
import { users } from './0004-users.ts';
import { releases } from './0005-releases.ts';
import { deployments } from './0006-deployments.ts';
import { deviceConfigurations } from './0007-device-configurations.ts';
import { artifactGenerations } from './0008-artifact-generations.ts';
import { statusReports } from './0009-status-reports.ts';
import { storedObjects } from './0010-stored-objects.ts';
import { failureCauses } from './0011-failure-causes.ts';
import { leavingDevices } from './0012-leaving-devices.ts';
import { inventoryTexts } from './0013-inventory-texts.ts';
import { statusesOfDevices } from './0014-statuses-of-devices.ts';
import { toldCheckIns } from './0015-told-check-ins.ts';
import { knownTokens } from './0016-known-tokens.ts';
import { standingOfDevices } from './0017-standing-of-devices.ts';
import { deviceCheckIns } from './0018-device-check-ins.ts';

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** In order; the position is the number. A migration is never edited once it is released: write the next. */
export const migrations: readonly Migration[] = [
  tenantsAndChangeLog, // 1
  deviceAuthentication, // 2
  inventory, // 3
  users, // 4
  releases, // 5
  deployments, // 6
  deviceConfigurations, // 7
  artifactGenerations, // 8
  statusReports, // 9
  storedObjects, // 10
  failureCauses, // 11
  leavingDevices, // 12
  inventoryTexts, // 13
  statusesOfDevices, // 14
  toldCheckIns, // 15
  knownTokens, // 16
  standingOfDevices, // 17
  deviceCheckIns, // 18
];
