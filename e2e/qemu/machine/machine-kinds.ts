/** The machines QEMU is asked for. Emulated (TCG) machines; see `accelerator` for the exception. Node wants POPCNT of a PC. */
// prettier-ignore
export const machineKinds = {
  'x86-64': { program: 'qemu-system-x86_64',  machine: 'q35',  processor: 'qemu64,-svm,+rdrand,+ssse3,+sse4.1,+sse4.2,+popcnt', firmware: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  arm64:    { program: 'qemu-system-aarch64', machine: 'virt', processor: 'cortex-a57',                            firmware: '/usr/share/AAVMF/AAVMF_CODE.fd',  variables: '/usr/share/AAVMF/AAVMF_VARS.fd' },
} as const;

const secureBoot = {
  firmware: '/usr/share/OVMF/OVMF_CODE_4M.ms.fd',
  variables: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd',
} as const;

/** QEMU's own, of the first card. */
export const usualMacAddress = '52:54:00:12:34:56';

export type MachineKind = keyof typeof machineKinds;

/** What the machine runs first. */
export type Firmware =
  /** UEFI; without `variables` what the firmware stores is forgotten at the end, and by a reset. */
  | { readonly kind: 'uefi'; readonly variables?: string }
  /** The same on a PC, with Microsoft's keys enrolled and Secure Boot enforced. */
  | { readonly kind: 'uefi-secure-boot' }
  /** One image given by `-bios`, such as a U-Boot; `flash` is the second flash chip (a raw file of 64 MiB on arm64's virt). */
  | { readonly kind: 'image'; readonly path: string; readonly flash?: string };

export interface Disk {
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
  /** Default NVMe. An SD card's size must be a power of two; it has no `bootindex`, so its firmware must look there by itself. */
  readonly bus?: 'nvme' | 'sd-card';
}

export interface MachineOptions {
  readonly kind: MachineKind;
  readonly disk: Disk;
  readonly firmware?: Firmware;
  readonly memoryMiB?: number;
  readonly processors?: number;
  /** Started at once, by no bootloader: kernel, initrd, and the kernel's command line. */
  readonly kernel?: { readonly path: string; readonly initrd: string; readonly commandLine: string };
  /** A watchdog of hardware that resets the machine; for the driver of the same name. */
  readonly watchdog?: 'i6300esb';
  /** A raw image that is plugged in as a USB stick from the start. */
  readonly stick?: string;
  /** Default: emulation. KVM only where a whole boot was seen to work under it: /dev/kvm alone proves nothing. */
  readonly accelerator?: 'tcg' | 'kvm';
  /** Of the network card; default QEMU's own, the same for every machine. */
  readonly macAddress?: string;
  readonly further?: readonly string[];
}

/**
 * QEMU's command line. The serial line is on its standard input and output, the guest reaches this host's loopback as 10.0.2.2. A reset ends
 * QEMU: it would keep what it has translated, up to a million pieces, and look through those of a page at each write of the firmware and the
 * next kernel there, which made starts after a reset last up to two minutes instead of eight seconds.
 */
export function machineArguments(
  options: MachineOptions,
  monitorPath: string,
  serialLine: 'terminal' | 'pipes',
): string[] {
  const { kind, memoryMiB = 768, processors = 1, accelerator = 'tcg' } = options;
  const { machine, processor } = machineKinds[kind];
  return [
    ['-nodefaults', '-no-user-config', '-display', 'none'],
    ['-serial', serialLine === 'terminal' ? 'mon:stdio' : 'stdio', '-action', 'reboot=shutdown'],
    ['-qmp', `unix:${monitorPath},server=on,wait=off`],
    ['-machine', machine, '-m', String(memoryMiB), '-smp', String(processors)],
    accelerator === 'tcg'
      ? ['-accel', 'tcg,thread=multi', '-cpu', processor]
      : ['-accel', 'kvm', '-cpu', 'host'],
    firmwareArguments(kind, options.firmware ?? { kind: 'uefi' }),
    diskArguments(options.disk, options.kernel === undefined),
    options.kernel === undefined ? [] : kernelArguments(options.kernel),
    ['-netdev', 'user,id=net0'],
    ['-device', `virtio-net-pci,netdev=net0,romfile=,mac=${options.macAddress ?? usualMacAddress}`],
    ['-object', 'rng-random,id=rng0,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng0'],
    ['-device', 'qemu-xhci,id=usb'],
    options.stick === undefined
      ? []
      : [
          '-blockdev',
          `driver=raw,node-name=stick,file.driver=file,file.filename=${options.stick}`,
          '-device',
          'usb-storage,id=stick-device,drive=stick,bus=usb.0',
        ],
    options.watchdog === undefined ? [] : ['-device', options.watchdog, '-action', 'watchdog=reset'],
    options.further ?? [],
  ].flat();
}

const kernelArguments = ({ path, initrd, commandLine }: NonNullable<MachineOptions['kernel']>): string[] => [
  '-kernel',
  path,
  '-initrd',
  initrd,
  '-append',
  commandLine,
];

function firmwareArguments(kind: MachineKind, firmware: Firmware): string[] {
  const flash = (unit: number, path: string, mode: string) => [
    '-drive',
    `if=pflash,format=raw,unit=${String(unit)},file=${path},${mode}`,
  ];
  if (firmware.kind === 'image') {
    return [
      '-bios',
      firmware.path,
      ...(firmware.flash === undefined ? [] : flash(1, firmware.flash, 'readonly=off')),
    ];
  }
  if (firmware.kind === 'uefi-secure-boot') {
    return [
      ...flash(0, secureBoot.firmware, 'readonly=on'),
      ...flash(1, secureBoot.variables, 'snapshot=on'),
      // Only the firmware's own code may write its variables.
      '-machine',
      'smm=on',
      '-global',
      'driver=cfi.pflash01,property=secure,value=on',
    ];
  }
  const standard = machineKinds[kind];
  return [
    ...flash(0, standard.firmware, 'readonly=on'),
    ...(firmware.variables === undefined
      ? flash(1, standard.variables, 'snapshot=on')
      : flash(1, firmware.variables, 'readonly=off')),
  ];
}

function diskArguments({ path, format, bus = 'nvme' }: Disk, isBooted: boolean): string[] {
  const devices =
    bus === 'nvme'
      ? [`nvme,id=disk-device,drive=disk,serial=tandem${isBooted ? ',bootindex=0' : ''}`]
      : ['sdhci-pci', 'sd-card,id=disk-device,drive=disk'];
  return [
    '-blockdev',
    `driver=${format},node-name=disk,file.driver=file,file.filename=${path},discard=unmap`,
    ...devices.flatMap((device) => ['-device', device]),
  ];
}
