/**
 * - `badConfiguration`: the configuration files cannot be used; the message lists every problem.
 * - `noDeviceType`, `noIdentity`, `badKey`: the device does not know what or who it is.
 * - `noInventory`: nothing could be found out about the device.
 * - `noSnapshot`: the file system cannot be copied as it is at one moment.
 * - `badPartitions`: the two root file systems and the running one cannot be told apart with certainty.
 * - `badBootEnvironment`: the bootloader's variables cannot be read, written, or trusted.
 * - `badImage`: the image cannot go into the partition.
 * - `writeFailed`: the partition does not hold what was written to it.
 * - `busFailed`: the system bus cannot be reached, or refuses.
 * - `storageHangs`: a call to a file or device has not come back in time, and may never; this process cannot end in the usual way.
 * - `timedOut`: a step took longer than ModuleTimeoutSeconds.
 * - `wrongState`: the step does not fit what the bootloader says has happened.
 */
export type DeviceErrorCode =
  | 'badConfiguration'
  | 'noDeviceType'
  | 'noIdentity'
  | 'badKey'
  | 'noInventory'
  | 'noSnapshot'
  | 'badPartitions'
  | 'badBootEnvironment'
  | 'badImage'
  | 'writeFailed'
  | 'busFailed'
  | 'storageHangs'
  | 'timedOut'
  | 'wrongState';

/** What is wrong with this device itself: how it is set up, what it is made of, or what it holds. */
export class DeviceError extends Error {
  readonly code: DeviceErrorCode;

  constructor(code: DeviceErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'DeviceError';
    this.code = code;
  }
}
