import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createUBootEnvironment, type EnvironmentCopy } from '@tandem/boot-environment';
import { factoryEnvironment, rootPartitions } from './bootloader.ts';
import { deviceType, imageSizeBytes } from './root-file-system.ts';

/** A virtual device on disk: real files where a board has flash, and nothing else. */
export interface DeviceDirectory {
  readonly name: string;
  readonly root: string;
  /** The two root file systems by partition number, plain files that hold an ext4 image each. */
  readonly partitions: Readonly<Record<number, string>>;
  readonly fwEnvConfig: string;
  readonly bootEnvironment: readonly [EnvironmentCopy, EnvironmentCopy];
  /** The data partition; `data/mender` is the client's data store. */
  readonly dataStore: string;
  readonly hardware: string;
  /** Programs that stand for the system's own: `reboot`. */
  readonly programs: string;
  /** What exists only while the device runs; made anew at every boot. */
  readonly run: string;
  readonly consoleLog: string;
}

const environmentSizeBytes = 16 << 10;

export function deviceDirectory(name: string, root: string): DeviceDirectory {
  const copyAt = (offsetBytes: number): EnvironmentCopy => ({
    path: join(root, 'boot', 'uboot.env'),
    offsetBytes,
    sizeBytes: environmentSizeBytes,
  });
  return {
    name,
    root,
    partitions: {
      [rootPartitions.a]: join(root, `mmcblk0p${String(rootPartitions.a)}`),
      [rootPartitions.b]: join(root, `mmcblk0p${String(rootPartitions.b)}`),
    },
    fwEnvConfig: join(root, 'boot', 'fw_env.config'),
    bootEnvironment: [copyAt(0), copyAt(environmentSizeBytes)],
    dataStore: join(root, 'data', 'mender'),
    hardware: join(root, 'hardware'),
    programs: join(root, 'bin'),
    run: join(root, 'run'),
    consoleLog: join(root, 'console.log'),
  };
}

/** Relative to the running root, where the client starts: the format has no way to write a path with a space in it. */
function fwEnvConfigText(copies: readonly EnvironmentCopy[]): string {
  const hex = (value: number): string => `0x${value.toString(16)}`;
  return copies
    .map((copy) => `../../boot/uboot.env ${hex(copy.offsetBytes)} ${hex(copy.sizeBytes)}\n`)
    .join('');
}

export function partitionPath(device: DeviceDirectory, partition: number): string {
  const path = device.partitions[partition];
  if (path === undefined) throw new Error(`${device.name} has no partition ${String(partition)}`);
  return path;
}

/**
 * What a factory does: writes version 1 into A, leaves B empty, makes the boot environment, and puts on the data partition what
 * differs from device to device.
 */
export async function makeDevice(
  device: DeviceDirectory,
  factory: { readonly image: string; readonly bootstrapArtifact: string },
): Promise<void> {
  for (const directory of [join(device.root, 'boot'), device.dataStore, device.hardware, device.programs]) {
    await mkdir(directory, { recursive: true });
  }
  await copyFile(factory.image, partitionPath(device, rootPartitions.a));
  const b = await open(partitionPath(device, rootPartitions.b), 'w');
  await b.truncate(imageSizeBytes);
  await b.close();

  await writeFile(device.fwEnvConfig, fwEnvConfigText(device.bootEnvironment));
  await createUBootEnvironment(device.bootEnvironment, factoryEnvironment);

  await writeFile(
    join(device.hardware, 'mac'),
    `02:${randomBytes(5).toString('hex').match(/../g)?.join(':') ?? ''}\n`,
  );
  await writeFile(join(device.dataStore, 'device_type'), `device_type=${deviceType}\n`);
  await writeFile(
    join(device.dataStore, 'mender.conf'),
    JSON.stringify({
      RootfsPartA: device.partitions[rootPartitions.a],
      RootfsPartB: device.partitions[rootPartitions.b],
      // Several devices on one machine must not find each other on its bus.
      DBus: { Enabled: false },
    }),
  );
  await copyFile(factory.bootstrapArtifact, join(device.dataStore, 'bootstrap.mender'));
  await writeFile(join(device.programs, 'reboot'), '#!/bin/sh\n: > "$RUN/reboot-requested"\n');
  await chmod(join(device.programs, 'reboot'), 0o755);
}
