import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VirtualDevice } from '@tandem/api';
import { deviceDirectory, makeDevice, type DeviceDirectory } from './device-directory.ts';
import type { ProgramPaths } from './prerequisites.ts';
import { ownProgram } from './programs.ts';
import { bootstrapPath, imagePath, type Workshop } from './release-files.ts';
import { startVirtualDevice, type DeviceEvent } from './virtual-device.ts';

export interface ShelfOptions {
  readonly directory: string;
  readonly programs: ProgramPaths;
  /** Its version 1 is what a new device runs. */
  readonly workshop: Workshop;
  readonly onEvent: (device: DeviceDirectory, event: DeviceEvent) => void;
  /** Switches all of them off. */
  readonly signal: AbortSignal;
}

/** The virtual devices of one directory: `device-1`, `device-2` and so on, each switched on as it is made. */
export interface DeviceShelf {
  /** Throws when the shelf is full. */
  switchOn(): Promise<DeviceDirectory>;
  /** For the one who clicks: what the new device is called, and what it will ask to be let in with. */
  addVirtualDevice(): Promise<VirtualDevice>;
  /** Resolves when all are off. */
  ended(): Promise<void>;
}

/** Each device is a Node process of some 80 MB. */
const maxDevices = 12;

export function openShelf({ directory, programs, workshop, onEvent, signal }: ShelfOptions): DeviceShelf {
  const running: Promise<void>[] = [];
  let made = 0;
  const switchOn = async (): Promise<DeviceDirectory> => {
    if (made === maxDevices)
      throw new Error(
        `${String(maxDevices)} virtual devices are running, which is as many as the demo starts`,
      );
    made += 1;
    const name = `device-${String(made)}`;
    const device = deviceDirectory(name, join(directory, name));
    await makeDevice(device, { image: imagePath(workshop, 1), bootstrapArtifact: bootstrapPath(workshop) });
    const { ended } = startVirtualDevice({
      device,
      programs,
      clientCommand: ownProgram('mender-update'),
      onEvent: (event) => {
        onEvent(device, event);
      },
      signal,
    });
    running.push(ended);
    return device;
  };
  return {
    switchOn,
    addVirtualDevice: async () => {
      const device = await switchOn();
      const mac = (await readFile(join(device.hardware, 'mac'), 'utf8')).trim();
      return { name: device.name, identity: { mac } };
    },
    ended: async () => {
      await Promise.allSettled(running);
    },
  };
}
