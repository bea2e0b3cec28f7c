import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortfalls, type Ending } from './expectations.ts';
import type { DeploymentProgress } from './fleet.ts';

const good: Ending = {
  state: {
    name: 'device-1',
    bootPartition: 3,
    upgradeAvailable: '0',
    activeVersion: '2',
    inactiveVersion: '3',
  },
  reportedArtifact: 'demo-2',
};
const deployments: DeploymentProgress[] = [
  { artifactName: 'demo-2', devices: [{ deviceName: 'device-1', status: 'success' }] },
  {
    artifactName: 'demo-3',
    devices: [{ deviceName: 'device-1', status: 'failure', log: 'health check: LISTEN_PORT is not set' }],
  },
];

test('a fleet where the demo should leave it has no shortfall', () => {
  assert.deepEqual(shortfalls([good], deployments, 1), []);
});

const faulty = [
  { name: 'a device on the wrong partition', change: { bootPartition: 2 }, says: /bootPartition is 2/ },
  { name: 'an update never committed', change: { upgradeAvailable: '1' }, says: /upgradeAvailable is 1/ },
  { name: 'an image that says another version', change: { activeVersion: '3' }, says: /activeVersion is 3/ },
  {
    name: 'a version 3 that never was written',
    change: { inactiveVersion: '1' },
    says: /inactiveVersion is 1/,
  },
] as const;
for (const { name, change, says } of faulty) {
  test(`${name} is a shortfall`, () => {
    const faults = shortfalls([{ ...good, state: { ...good.state, ...change } }], deployments, 1);
    assert.equal(faults.length, 1);
    assert.match(faults[0] ?? '', says);
  });
}

test('a wrong status, a missing log, a missing device and a wrong report are shortfalls', () => {
  const wrong: DeploymentProgress[] = [
    { artifactName: 'demo-2', devices: [{ deviceName: 'device-1', status: 'failure' }] },
    { artifactName: 'demo-3', devices: [{ deviceName: 'device-1', status: 'failure' }] },
  ];
  const faults = shortfalls([{ ...good, reportedArtifact: 'demo-3' }], wrong, 2).join('\n');
  assert.match(faults, /number of devices is 1, expected 2/);
  assert.match(faults, /reported artifact is demo-3/);
  assert.match(faults, /status of demo-2 is failure, expected success/);
  assert.match(faults, /log of demo-3 does not say why/);
});
