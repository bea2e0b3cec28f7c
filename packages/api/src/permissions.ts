/** What a person may be allowed to do. Roles are sets of these; an endpoint names exactly one. */
// prettier-ignore
export const permissions = [
  'devices.read',       'devices.write',
  'inventory.read',     'inventory.write',
  'releases.read',      'releases.write',
  'deployments.read',   'deployments.write',
  'configurations.read','configurations.write',
  'connections.read',   'connections.write',
  'integrations.read',
  'changes.read',
  'users.read',         'users.write',
  'settings.read',      'settings.write',
  'own-account.read',   'own-account.write',
] as const;

export type Permission = (typeof permissions)[number];
