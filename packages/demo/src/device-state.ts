import { uBootEnvironment } from '@tandem/boot-environment';
import { rootPartitions } from './bootloader.ts';
import { partitionPath, type DeviceDirectory } from './device-directory.ts';
import { readFromImage } from './ext4-image.ts';
import type { ProgramPaths } from './prerequisites.ts';

/** What a device is, read from its own files: never from what anybody says about it. */
export interface DeviceState {
  readonly name: string;
  readonly bootPartition: number;
  readonly upgradeAvailable: string;
  /** VERSION_ID in the root file system the bootloader would start now, and in the other one. */
  readonly activeVersion: string;
  readonly inactiveVersion: string;
}

export async function readDeviceState(device: DeviceDirectory, programs: ProgramPaths): Promise<DeviceState> {
  const environment = await uBootEnvironment(device.bootEnvironment).read();
  const bootPartition = Number(environment.get('mender_boot_part'));
  const other = bootPartition === rootPartitions.a ? rootPartitions.b : rootPartitions.a;
  return {
    name: device.name,
    bootPartition,
    upgradeAvailable: environment.get('upgrade_available') ?? 'unset',
    activeVersion: await versionIn(programs, partitionPath(device, bootPartition)),
    inactiveVersion: await versionIn(programs, partitionPath(device, other)),
  };
}

async function versionIn(programs: ProgramPaths, image: string): Promise<string> {
  const release = await readFromImage(programs, image, '/etc/os-release');
  return (release === undefined ? undefined : /^VERSION_ID=(.*)$/m.exec(release)?.[1]) ?? 'none';
}
