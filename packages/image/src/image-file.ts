/** One file to be put into a file system of the image, by what it is made of. Owner and group are root. */
export type ImageFile = {
  /** Absolute in its file system: `/EFI/BOOT/grub.cfg` of the boot partition, `/etc/fstab` of the root. */
  readonly path: string;
} & (
  | { readonly text: string; /** Default 0644. FAT has no modes. */ readonly mode?: number }
  | { readonly bytes: Uint8Array; readonly mode?: number }
  /** A file of this machine. */
  | { readonly copyOf: string; readonly mode?: number }
  /** A symbolic link; not for FAT. */
  | { readonly linkTo: string }
  | { readonly directory: true; /** Default 0755. */ readonly mode?: number }
);

/** Bytes that lie outside all file systems, as a bootloader before the first partition. */
export interface RawWrite {
  readonly offsetBytes: number;
  readonly content: Uint8Array | { readonly copyOf: string };
  /** What it is, for the plan that is shown. */
  readonly name: string;
}
