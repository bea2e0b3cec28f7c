import type { Permission } from '@tandem/api';

/** What one must be allowed to do to learn of a change, by what it is of. A kind that is not here is shown to nobody. */
// prettier-ignore
const permissionOf = {
  'artifact':              'releases.read',
  'auth-set':              'devices.read',
  'deployment':            'deployments.read',
  'device':                'devices.read',
  'device-configuration':  'configurations.read',
  'device-deployment':     'deployments.read',
  'device-limit':          'devices.read',
  'device-token':          'devices.read',
  'group':                 'inventory.read',
  'inventory':             'inventory.read',
  'personal-access-token': 'users.read',
  'release':               'releases.read',
  'settings':              'settings.read',
  'user':                  'users.read',
} as const satisfies Record<string, Permission>;

/** `device.accepted` is of a device. */
export function permissionToLearnOf(kind: string): Permission | undefined {
  const [thing = ''] = kind.split('.', 1);
  return Object.hasOwn(permissionOf, thing) ? permissionOf[thing as keyof typeof permissionOf] : undefined;
}
