import * as deviceAuthentication from './device/authentication.ts';
import * as deviceConfigurationReports from './device/configuration.ts';
import * as deviceDeployments from './device/deployments.ts';
import * as deviceInventory from './device/inventory.ts';
import * as documentation from './documentation.ts';
import type { Endpoint } from './endpoint.ts';
import * as health from './health.ts';
import * as artifacts from './management/artifacts.ts';
import * as changes from './management/changes.ts';
import * as deploymentInsight from './management/deployment-insight.ts';
import * as deployments from './management/deployments.ts';
import * as deviceConfiguration from './management/device-configuration.ts';
import * as deviceConnections from './management/device-connections.ts';
import * as devices from './management/devices.ts';
import * as integrations from './management/integrations.ts';
import * as inventorySearch from './management/inventory-search.ts';
import * as inventory from './management/inventory.ts';
import * as directUpload from './management/direct-upload.ts';
import * as releases from './management/releases.ts';
import * as serverIdentity from './management/server-identity.ts';
import * as users from './management/users.ts';
import * as virtualDevices from './management/virtual-devices.ts';

/** Every module of the contract. A new one is added here, and thereby served in the OpenAPI document and tested. */
const modules: readonly Readonly<Record<string, unknown>>[] = [
  health,
  documentation,
  deviceAuthentication,
  deviceInventory,
  deviceDeployments,
  devices,
  inventory,
  inventorySearch,
  users,
  artifacts,
  directUpload,
  releases,
  deployments,
  deploymentInsight,
  changes,
  deviceConfigurationReports,
  deviceConfiguration,
  deviceConnections,
  integrations,
  serverIdentity,
  virtualDevices,
];

const isEndpoint = (value: unknown): value is Endpoint =>
  typeof value === 'object' && value !== null && 'audience' in value && 'path' in value;

export const allEndpoints: readonly Endpoint[] = modules.flatMap((module) =>
  Object.values(module).filter(isEndpoint),
);
