import type { DeviceState } from './device-state.ts';
import type { DeploymentProgress } from './fleet.ts';

/** Where the demo must end, as data: what each device's own files say, and what each deployment says of it. */
export const expectations = {
  device: { bootPartition: 3, upgradeAvailable: '0', activeVersion: '2', inactiveVersion: '3' },
  reportedArtifact: 'demo-2',
  deployments: [
    { artifactName: 'demo-2', status: 'success', log: undefined },
    { artifactName: 'demo-3', status: 'failure', log: /LISTEN_PORT is not set/ },
  ],
} as const;

export interface Ending {
  readonly state: DeviceState;
  /** `artifact_name` in the server's inventory. */
  readonly reportedArtifact: string;
}

/** Everything that is not as expected, a sentence each; empty is the demo's success. */
export function shortfalls(
  endings: readonly Ending[],
  deployments: readonly DeploymentProgress[],
  deviceCount: number,
): string[] {
  const faults: string[] = [];
  const expect = (what: string, actual: unknown, expected: unknown): void => {
    if (actual !== expected) faults.push(`${what} is ${String(actual)}, expected ${String(expected)}`);
  };
  expect('the number of devices', endings.length, deviceCount);
  for (const { state, reportedArtifact } of endings) {
    for (const key of Object.keys(expectations.device) as (keyof typeof expectations.device)[]) {
      expect(`${state.name}: ${key}`, state[key], expectations.device[key]);
    }
    expect(`${state.name}: reported artifact`, reportedArtifact, expectations.reportedArtifact);
  }
  for (const [index, { artifactName, status, log }] of expectations.deployments.entries()) {
    const deployment = deployments[index];
    expect(`deployment ${String(index + 1)}`, deployment?.artifactName, artifactName);
    expect(`${artifactName}: devices`, deployment?.devices.length, deviceCount);
    for (const device of deployment?.devices ?? []) {
      expect(`${device.deviceName}: status of ${artifactName}`, device.status, status);
      if (log !== undefined && !log.test(device.log ?? '')) {
        faults.push(`${device.deviceName}: the log of ${artifactName} does not say why (${String(log)})`);
      }
    }
  }
  return faults;
}
