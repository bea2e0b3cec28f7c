/** The first part of every query key of the interface: what kind of thing the answer tells of. */
export const topics = [
  'devices',
  'inventory',
  'deployments',
  'releases',
  'configurations',
  'users',
  'settings',
] as const;
export type Topic = (typeof topics)[number];

/** Which answers a change makes stale, by what it is of: the part of its kind before the dot. */
// prettier-ignore
const staleBy = {
  'artifact':              ['releases'],
  'auth-set':              ['devices'],
  'deployment':            ['deployments'],
  'device':                ['devices', 'inventory'],
  'device-configuration':  ['configurations'],
  'device-deployment':     ['deployments'],
  'device-limit':          ['devices'],
  'group':                 ['inventory'],
  'inventory':             ['inventory'],
  'personal-access-token': ['users'],
  'release':               ['releases'],
  'settings':              ['settings'],
  'user':                  ['users'],
} as const satisfies Record<string, readonly Topic[]>;

export function topicsOf(kind: string): readonly Topic[] {
  const [thing = ''] = kind.split('.', 1);
  return Object.hasOwn(staleBy, thing) ? staleBy[thing as keyof typeof staleBy] : [];
}
