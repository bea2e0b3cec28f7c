import type { Permission } from '@tandem/api';

/** What the `ref` of a change is the id of: by it is decided who sees the change (visibility.ts). */
export type ChangeRef = 'artifact' | 'authSet' | 'deployment' | 'device' | 'part' | 'release' | 'ofAll';

interface ChangedThing {
  /** What one must be allowed to do to learn of it. */
  readonly permission: Permission;
  readonly ref: ChangeRef;
}

/** What changes are of. A kind that is not here is shown to nobody. */
// prettier-ignore
const changedThings = {
  'artifact':              { permission: 'releases.read',       ref: 'artifact' },
  'auth-set':              { permission: 'devices.read',        ref: 'authSet' },
  'deployment':            { permission: 'deployments.read',    ref: 'deployment' },
  'device':                { permission: 'devices.read',        ref: 'device' },
  'device-configuration':  { permission: 'configurations.read', ref: 'device' },
  // `<deployment>/<device>`, or a device alone when its whole history is meant.
  'device-deployment':     { permission: 'deployments.read',    ref: 'part' },
  'device-limit':          { permission: 'devices.read',        ref: 'ofAll' },
  // The token of an auth set has its id.
  'device-token':          { permission: 'devices.read',        ref: 'authSet' },
  // The device that joined or left.
  'group':                 { permission: 'inventory.read',      ref: 'device' },
  'inventory':             { permission: 'inventory.read',      ref: 'device' },
  'personal-access-token': { permission: 'users.read',          ref: 'ofAll' },
  'release':               { permission: 'releases.read',       ref: 'release' },
  'settings':              { permission: 'settings.read',       ref: 'ofAll' },
  'user':                  { permission: 'users.read',          ref: 'ofAll' },
} as const satisfies Record<string, ChangedThing>;

/** `device.accepted` is of a device. */
export function changedThing(kind: string): ChangedThing | undefined {
  const [thing = ''] = kind.split('.', 1);
  return Object.hasOwn(changedThings, thing) ? changedThings[thing as keyof typeof changedThings] : undefined;
}
