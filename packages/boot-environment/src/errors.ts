/**
 * - `bothCopiesInvalid`: neither copy holds an environment; nothing can be known, and writing would be guessing.
 * - `tooLarge`: the variables do not fit into a copy.
 * - `badVariable`: a name or value the format cannot hold.
 * - `badLayout`: the copies overlap, differ in size, or have an impossible size or offset.
 * - `badConfiguration`: a line of fw_env.config that cannot be understood.
 * - `notSupported`: a kind of device this code must not write, such as raw flash.
 * - `io`: the operating system refused; see `cause`.
 */
export type BootEnvironmentErrorCode =
  'bothCopiesInvalid' | 'tooLarge' | 'badVariable' | 'badLayout' | 'badConfiguration' | 'notSupported' | 'io';

export class BootEnvironmentError extends Error {
  readonly code: BootEnvironmentErrorCode;

  constructor(code: BootEnvironmentErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'BootEnvironmentError';
    this.code = code;
  }
}
