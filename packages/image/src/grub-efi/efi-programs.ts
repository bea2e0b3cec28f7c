import type { Architecture } from '../board-keys.ts';

export interface EfiProgram {
  /** What UEFI starts from a disk it knows nothing of. */
  readonly name: string;
  readonly format: string;
  /** GRUB's modules on the build machine, and the Debian package that brings them. */
  readonly modules: string;
  readonly modulesPackage: string;
  /** Below the root file system, for Secure Boot. */
  readonly signedShim: string;
  readonly signedGrub: string;
  /** What the shim starts. */
  readonly secondStage: string;
  readonly signedPackages: string;
}

// prettier-ignore
export const efiPrograms: Readonly<Partial<Record<Architecture, EfiProgram>>> = {
  amd64: { name: 'BOOTX64.EFI',  format: 'x86_64-efi', modules: '/usr/lib/grub/x86_64-efi', modulesPackage: 'grub-efi-amd64-bin', signedShim: '/usr/lib/shim/shimx64.efi.signed',  signedGrub: '/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed', secondStage: 'grubx64.efi',  signedPackages: 'shim-signed and grub-efi-amd64-signed' },
  arm64: { name: 'BOOTAA64.EFI', format: 'arm64-efi',  modules: '/usr/lib/grub/arm64-efi',  modulesPackage: 'grub-efi-arm64-bin', signedShim: '/usr/lib/shim/shimaa64.efi.signed', signedGrub: '/usr/lib/grub/arm64-efi-signed/grubaa64.efi.signed', secondStage: 'grubaa64.efi', signedPackages: 'shim-signed and grub-efi-arm64-signed' },
};
