import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGrubEnvironment } from '@tandem/boot-environment';
import type { BootContext, Bootloader } from '../bootloader.ts';
import type { BootloaderSettings } from '../bootloaders.ts';
import { ImageError } from '../image-error.ts';
import type { ImageFile } from '../image-file.ts';
import { efiPrograms, type EfiProgram } from './efi-programs.ts';
import { grubConfiguration, supportFile } from './grub-configuration.ts';

/**
 * GRUB started by UEFI: an EFI partition with GRUB, its configuration and the redundant environment; kernel and initrd from /boot of
 * whichever root file system is started. Settings: `secureBoot`, which takes Debian's signed shim and GRUB out of the root file system.
 */
export function grubEfi(settings: BootloaderSettings): Bootloader {
  const { secureBoot = false, ...others } = settings;
  if (typeof secureBoot !== 'boolean' || Object.keys(others).length > 0) {
    throw new ImageError(
      'badBoard',
      `bootloaderSettings of grub-efi are {"secureBoot": true or false}, and these are ${JSON.stringify(settings)}`,
    );
  }
  return {
    programs: secureBoot ? {} : { 'grub-mkimage': 'grub-common' },
    reservedBytes: 0,
    clientConfiguration: { BootEnvironment: 'grub' },
    problems: (context) => problems(context, secureBoot),
    bootFiles: async (context) => {
      const efi = efiPrograms[context.board.architecture];
      if (efi === undefined) return [];
      const configuration = await grubConfiguration(context.board.partitionTable, context.partitions);
      return [
        ...(secureBoot ? await signedGrub(context, efi) : await madeGrub(context, efi)),
        { path: secureBoot ? '/EFI/debian/grub.cfg' : '/EFI/BOOT/grub.cfg', text: configuration },
        ...(await environmentFiles(context)),
      ];
    },
    rootFiles,
    rawWrites: () => Promise.resolve([]),
    filesBeside: () => Promise.resolve([]),
  };
}

async function problems(
  { board, partitions, root, kernelArguments }: BootContext,
  secureBoot: boolean,
): Promise<string[]> {
  const found: string[] = [];
  const efi = efiPrograms[board.architecture];
  if (efi === undefined) {
    found.push(`GRUB for UEFI is not known for ${board.architecture}; choose another bootloader.`);
  } else if (secureBoot) {
    for (const path of [efi.signedShim, efi.signedGrub]) {
      if (!(await root.exists(path)))
        found.push(
          `Secure Boot takes ${path} from the root file system; install ${efi.signedPackages} in it.`,
        );
    }
  } else if (!(await isThere(efi.modules))) {
    found.push(`GRUB is made from ${efi.modules}, which is not here; install ${efi.modulesPackage}.`);
  }
  if (partitions.boot === undefined) found.push('UEFI starts from a FAT partition; set boot.sizeMiB.');
  if (kernelArguments.includes("'"))
    found.push('The kernel arguments hold an apostrophe, which GRUB cannot be given.');
  for (const name of await root.list('/var/lib/dpkg/info')) {
    // Its upgrades would put Debian's own configuration into the EFI partition, and itself first in the firmware's order.
    if (/^grub-(efi-(amd64|arm64|ia32)|pc|cloud-amd64)\.postinst$/.test(name))
      found.push(
        `The package ${name.slice(0, -'.postinst'.length)} would install another GRUB when it is upgraded; remove it.`,
      );
  }
  return found;
}

/** GRUB with all it needs inside, and the prefix from which it reads its configuration. */
async function madeGrub(context: BootContext, efi: EfiProgram): Promise<ImageFile[]> {
  const output = join(context.workDirectory, efi.name);
  await context.run('grub-mkimage', [
    '--directory',
    efi.modules,
    `--format=${efi.format}`,
    '--prefix=/EFI/BOOT',
    '--output',
    output,
    ...grubModules.split(' '),
  ]);
  return [{ path: `/EFI/BOOT/${efi.name}`, copyOf: output }];
}

async function signedGrub({ root }: BootContext, efi: EfiProgram): Promise<ImageFile[]> {
  const shim = await root.resolve(efi.signedShim);
  const grub = await root.resolve(efi.signedGrub);
  if (shim === undefined || grub === undefined) return [];
  return [
    { path: `/EFI/BOOT/${efi.name}`, copyOf: shim },
    { path: `/EFI/BOOT/${efi.secondStage}`, copyOf: grub },
  ];
}

/** For grub.cfg, and for whoever looks into a device by GRUB's command line. */
const grubModules =
  'part_gpt part_msdos fat ext2 btrfs xfs f2fs squash4 normal configfile linux loadenv regexp test true echo sleep reboot halt ' +
  'search search_fs_uuid search_label ls cat minicmd gzio all_video';

async function environmentFiles({ workDirectory, partitions }: BootContext): Promise<ImageFile[]> {
  const directory = join(workDirectory, 'environment');
  const variables = {
    mender_boot_part: String(partitions.rootA.number),
    upgrade_available: '0',
    bootcount: '0',
  };
  await createGrubEnvironment(directory, variables);
  return [1, 2].flatMap((copy) =>
    ['env', 'lock', 'lock.sha256sum'].map((name) => {
      const path = `mender_grubenv${String(copy)}/${name}`;
      return { path: `/grub-mender-grubenv/${path}`, copyOf: join(directory, path) };
    }),
  );
}

const hooks = ['/etc/kernel/postinst.d', '/etc/kernel/postrm.d', '/etc/initramfs/post-update.d'];

async function rootFiles({
  board,
  root,
  kernelArguments,
  workDirectory,
  run,
}: BootContext): Promise<ImageFile[]> {
  const cmdline = join(workDirectory, 'cmdline');
  const selected = join(workDirectory, 'tandem-kernel.cfg');
  const argumentsFile = `${kernelArguments}\n`;
  await writeFile(cmdline, argumentsFile);
  await run('sh', [supportFile('select-kernel')], {
    environment: { TANDEM_ROOT: root.directory, TANDEM_CMDLINE: cmdline, TANDEM_OUTPUT: selected },
  });
  return [
    { path: '/usr/lib/tandem-boot/select-kernel', copyOf: supportFile('select-kernel'), mode: 0o755 },
    ...hooks.map((path) => ({
      path: `${path}/zz-tandem-boot`,
      linkTo: '/usr/lib/tandem-boot/select-kernel',
    })),
    { path: '/etc/kernel/cmdline', text: argumentsFile },
    {
      path: '/etc/mender_grubenv.config',
      text: `ENV_DIR=${join(board['boot.mount'], 'grub-mender-grubenv')}\n`,
    },
    // Where kernels have no versions in their names, GRUB takes them by those names.
    ...((await isThere(selected)) ? [{ path: '/boot/tandem-kernel.cfg', copyOf: selected }] : []),
  ];
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
