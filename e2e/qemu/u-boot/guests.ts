import { join } from 'node:path';
import { runProgram } from '@tandem/demo';
import { otherNodeRuntime } from '../../../packaging/node-runtime.ts';
import type { DeviceOptions } from '../grub/device.ts';
import type { Guest } from '../grub/site.ts';
import { debianUBoot, guestMachine, makeArm64Root } from './arm64-root.ts';
import { buildUBoot } from './build.ts';

/** A device that U-Boot starts, and the machine it is. */
export interface UBootGuest extends Guest {
  readonly hardware: () => Promise<
    Pick<DeviceOptions, 'kind' | 'firmware' | 'bus' | 'memoryMiB' | 'processors'>
  >;
}

/** As Debian builds it, U-Boot neither counts boots nor keeps two environments: the boot script does, with two files. */
export const stockUBoot: UBootGuest = guest('board-two-copies.json', async () => ({
  firmware: { kind: 'image', path: debianUBoot },
  bus: 'nvme',
}));

/** Built from Debian's source package to count boots, with a redundant environment on the SD card. */
export const countingUBoot: UBootGuest = guest('board-redundant.json', async () => ({
  firmware: { kind: 'image', path: (await buildUBoot('arm64')).path },
  bus: 'sd-card',
}));

function guest(board: string, own: () => Promise<Pick<DeviceOptions, 'firmware' | 'bus'>>): UBootGuest {
  return {
    board: join(import.meta.dirname, board),
    deviceType: 'qemu-arm64',
    node: (cache) => otherNodeRuntime(cache),
    rootOptions: async ({ cache, directory, packages }) => {
      const overlay = join(directory, 'overlay');
      // Nothing of arm64 can be run here, so that no package can be installed.
      for (const path of packages) await runProgram('dpkg-deb', ['-x', path, overlay]);
      return ['--root', await makeArm64Root(cache), '--overlay', overlay];
    },
    hardware: async () => ({ kind: 'arm64', ...guestMachine, ...(await own()) }),
  };
}
