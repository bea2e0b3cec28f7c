import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeOverlay } from '../machine/disk-overlay.ts';
import type { Disk, MachineOptions } from '../machine/machine-kinds.ts';
import { startVirtualMachine, type VirtualMachine } from '../machine/virtual-machine.ts';

/** Emulated machines on whatever machine this is: limits are there only to end what hangs. */
export const limitMs = 900_000;
export const patience = { timeout: 1_800_000 };

export interface DeviceOptions extends Partial<Omit<MachineOptions, 'disk'>> {
  readonly name: string;
  /** As it left the factory; it stays as it is. */
  readonly disk: string;
  readonly bus?: Disk['bus'];
  /** Of its storage; default the size of the image. */
  readonly storageBytes?: number;
  readonly directory: string;
}

/** Switches on a device from the factory. Where TANDEM_QEMU_LOGS names a directory, what it says is kept there. */
export async function startDevice(options: DeviceOptions): Promise<VirtualMachine> {
  const { disk, bus, storageBytes = (await stat(disk)).size } = options;
  const size = bus === 'sd-card' ? 2 ** Math.ceil(Math.log2(storageBytes)) : storageBytes;
  await makeOverlay(disk, ownDisk(options), size);
  return startAgain(options);
}

/** Its own disk, in the format qcow2. */
export const ownDisk = ({ directory, name }: Pick<DeviceOptions, 'directory' | 'name'>): string =>
  join(directory, `${name}.qcow2`);

/** Switches a device on with what its disk holds by now. */
export async function startAgain(options: DeviceOptions): Promise<VirtualMachine> {
  const { name, directory, bus = 'nvme', disk: _, storageBytes: __, ...hardware } = options;
  const path = ownDisk(options);
  const machine = await startVirtualMachine({
    kind: 'x86-64',
    ...hardware,
    disk: { path, format: 'qcow2', bus },
  });
  const log = createWriteStream(join(process.env['TANDEM_QEMU_LOGS'] ?? directory, `${name}.log`), {
    flags: 'a',
  });
  machine.console.onLine(({ atMs, text }) => log.write(`${(atMs / 1000).toFixed(1)} ${text}\n`));
  return machine;
}

export interface SeenBoot {
  readonly partition: string;
  readonly atMs: number;
  /** The position behind it on the serial line. */
  readonly next: number;
}

/** Waits until GRUB, or U-Boot's boot script, starts a root file system, after the position. */
export async function bootAfter({ console }: VirtualMachine, after: number): Promise<SeenBoot> {
  const seen = await console.waitFor(/^[Tt]andem: starting partition (\d)/, { limitMs, after });
  return { partition: seen.match[1] ?? '', atMs: seen.atMs, next: seen.next };
}
