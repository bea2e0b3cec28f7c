/**
 * - `badArguments`: the command line.
 * - `badBoard`: a board file, or what it says of its bootloader.
 * - `badSource`: what the image is to be made from cannot be read as any of the kinds there are.
 * - `unknownPartitionTable`: a disk image with neither GPT nor MBR, or a damaged one.
 * - `noKernel`: the root file system has no kernel below /boot.
 * - `wrongArchitecture`: the programs of the root file system are for another processor than the board's.
 * - `imageTooSmall`: what is to go into a partition, or all partitions, need more room than there is.
 * - `packageFailed`, `hookFailed`: a package or a hook that was run said no.
 * - `bootloaderRefused`: the board's bootloader cannot start what the root file system holds.
 * - `programMissing`, `programFailed`: a tool that is not installed, or that failed.
 * - `noPrivileges`: this user can neither act as root nor in a user namespace of its own.
 */
export type ImageErrorCode =
  | 'badArguments'
  | 'badBoard'
  | 'badSource'
  | 'unknownPartitionTable'
  | 'noKernel'
  | 'wrongArchitecture'
  | 'imageTooSmall'
  | 'packageFailed'
  | 'hookFailed'
  | 'bootloaderRefused'
  | 'programMissing'
  | 'programFailed'
  | 'noPrivileges';

/** The one error of this package: the message says what was attempted, on what, and what to do. */
export class ImageError extends Error {
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ImageError';
    this.code = code;
  }
}
