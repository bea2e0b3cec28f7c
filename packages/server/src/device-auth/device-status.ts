export const authSetStatuses = ['pending', 'accepted', 'rejected', 'preauthorized'] as const;
export type AuthSetStatus = (typeof authSetStatuses)[number];

/** In the order of precedence: a device has the first of these that one of its auth sets has. */
export const deviceStatuses = ['accepted', 'preauthorized', 'pending', 'rejected', 'noauth'] as const;
export type DeviceStatus = (typeof deviceStatuses)[number];

export const deviceStatus = (sets: readonly AuthSetStatus[]): DeviceStatus =>
  deviceStatuses.find((status) => sets.some((set) => set === status)) ?? 'noauth';

export type Target = 'accepted' | 'rejected' | 'pending';
export type Transition = 'change' | 'nothing' | 'refuse';

/** What a user may make of an auth set (server contract 2.4): target, then what the set is now. */
// prettier-ignore
export const transitions = {
  accepted: { pending: 'change',  accepted: 'nothing', rejected: 'change',  preauthorized: 'refuse' },
  rejected: { pending: 'change',  accepted: 'change',  rejected: 'nothing', preauthorized: 'refuse' },
  pending:  { pending: 'nothing', accepted: 'change',  rejected: 'change',  preauthorized: 'refuse' },
} as const satisfies Record<Target, Record<AuthSetStatus, Transition>>;
