import assert from 'node:assert/strict';
import { artifactNameOf, makeArtifact, readDeviceState, type Version } from '@tandem/demo';
import { eventually, group, openSite, type GatedState } from './site.ts';

/**
 * The power cord is pulled while the device stands in a state, and put in again. What is not proven goes back; what was
 * committed stays; the server is told which. (Resume table: packages/client/src/deployment/deployment-states.ts)
 */
export interface PowerCut {
  readonly version: Version;
  readonly cutIn: GatedState;
  readonly ends: 'success' | 'failure';
}

const endings = {
  success: { bootPartition: 3, upgradeAvailable: '0', activeVersion: '2', inactiveVersion: '1' },
  failure: { bootPartition: 2, upgradeAvailable: '0', activeVersion: '1' },
} as const;

export const wordsOf = ({ version, cutIn, ends }: PowerCut): string =>
  `power lost in ${cutIn} of version ${String(version)} ends in ${ends}`;

/** A deployment to one device, with its cut; throws when it ends otherwise. */
export async function pullTheCord({ version, cutIn, ends }: PowerCut): Promise<void> {
  const site = await openSite({ versions: [version] });
  try {
    const artifact = await makeArtifact(site.workshop, version, { scripts: site.gateScripts });
    await site.fleet.upload(artifact);
    const gate = await site.closeGate(cutIn);
    const deployment = site.fleet.deployToGroup('power cut', artifactNameOf(version), group, {
      timeoutMs: 60_000,
    });
    await gate.reached();
    site.virtualDevice.cutPower();
    await gate.open();

    const { devices } = await deployment;
    assert.equal(devices[0]?.status, ends, devices[0]?.log ?? 'no log');
    const state = await readDeviceState(site.device, site.programs);
    for (const [key, value] of Object.entries(endings[ends])) {
      assert.equal(state[key as keyof typeof state], value, key);
    }
    const reported = artifactNameOf(ends === 'success' ? 2 : 1);
    await eventually(`the inventory says ${reported}`, async () => {
      return (await site.fleet.reportedArtifact('device')) === reported;
    });
  } finally {
    await site.close();
  }
}
