/**
 * The states of one device within a deployment (server contract 4.4, 4.8, 4.9).
 *
 * `active`      the device still works on it; it is offered the same deployment again when it asks
 * `reportable`  a device may report it by itself
 * `closed`      a later report is refused with 409, and why
 * `moves`       the deployment counts as in progress by it
 *
 * A status that is not active ends the device's part. The order is that of the reference's list of devices.
 */
// prettier-ignore
export const deviceDeploymentStatuses = {
  'failure':                 { active: false, reportable: true,  closed: null,                    moves: true  },
  'pause_before_installing': { active: true,  reportable: true,  closed: null,                    moves: true  },
  'pause_before_committing': { active: true,  reportable: true,  closed: null,                    moves: true  },
  'pause_before_rebooting':  { active: true,  reportable: true,  closed: null,                    moves: true  },
  'downloading':             { active: true,  reportable: true,  closed: null,                    moves: true  },
  'installing':              { active: true,  reportable: true,  closed: null,                    moves: true  },
  'rebooting':               { active: true,  reportable: true,  closed: null,                    moves: true  },
  'pending':                 { active: true,  reportable: false, closed: null,                    moves: false },
  'success':                 { active: false, reportable: true,  closed: null,                    moves: true  },
  'aborted':                 { active: false, reportable: false, closed: 'Deployment aborted',    moves: true  },
  'noartifact':              { active: false, reportable: false, closed: null,                    moves: true  },
  'already-installed':       { active: false, reportable: true,  closed: null,                    moves: true  },
  'decommissioned':          { active: false, reportable: false, closed: 'Device decommissioned', moves: false },
} as const satisfies Record<string, StatusRow>;

interface StatusRow {
  readonly active: boolean;
  readonly reportable: boolean;
  readonly closed: string | null;
  readonly moves: boolean;
}

export type DeviceDeploymentStatus = keyof typeof deviceDeploymentStatuses;

type StatusesWith<Key extends keyof StatusRow, Value extends StatusRow[Key]> = {
  [S in DeviceDeploymentStatus]: (typeof deviceDeploymentStatuses)[S][Key] extends Value ? S : never;
}[DeviceDeploymentStatus];

export type ReportableStatus = StatusesWith<'reportable', true>;

// The keys are exactly the statuses; Object.keys only forgets so.
export const allStatuses = Object.keys(deviceDeploymentStatuses) as readonly DeviceDeploymentStatus[];

export const statusIsActive = (status: DeviceDeploymentStatus): boolean =>
  deviceDeploymentStatuses[status].active;

/** Position in lists sorted by status (server contract 4.6). */
export const statusRank = (status: DeviceDeploymentStatus): number => allStatuses.indexOf(status);

/** What `GET /deployments/{id}/devices/list?status=` may name: a status, or one of these sets of them. */
export const statusSets = {
  pause: allStatuses.filter((status) => status.startsWith('pause_')),
  active: allStatuses.filter(statusIsActive),
  finished: allStatuses.filter((status) => !statusIsActive(status)),
} as const satisfies Record<string, readonly DeviceDeploymentStatus[]>;

export const statusesNamed = (name: string): readonly DeviceDeploymentStatus[] | undefined => {
  if (Object.hasOwn(statusSets, name)) return statusSets[name as keyof typeof statusSets];
  const status = allStatuses.find((one) => one === name);
  return status && [status];
};
