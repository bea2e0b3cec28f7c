/** What can go wrong in the client. A code is for who reacts to it; whoever only tells it prints the message. */
// prettier-ignore
export const clientErrorCodes = [
  // How it was called.
  'commandLine', //        mistyped; the message is the one Mender's parser gives (client contract 2.1)
  'calledOff', //          the user wants no more questions

  // The device itself: how it is set up, what it is made of, what it holds.
  'badConfiguration', //   the configuration files cannot be used; the message lists every problem
  'noDeviceType',
  'noIdentity',
  'badKey',
  'noInventory', //        nothing could be found out about the device
  'noSnapshot', //         the file system cannot be copied as it is at one moment
  'badPartitions', //      the two root file systems and the running one cannot be told apart with certainty
  'badBootEnvironment', // the bootloader's variables cannot be read, written, or trusted
  'badDatabase', //        a store that Mender left is damaged, or of an unknown kind
  'badImage', //           the image cannot go into the partition
  'writeFailed', //        the partition does not hold what was written to it
  'storageHangs', //       a call to a file or device has not come back in time, and may never; the process cannot end in the usual way
  'busFailed', //          the system bus cannot be reached, or refuses

  // An update.
  'artifactRefused', //    genuine and whole, but not for this device, or not what was offered
  'artifactUnreadable', // the file or address to install from
  'moduleMissing', //      no update module and no built-in installer for the payload type
  'moduleFailed', //       an update module exited otherwise than with 0, or broke the streams protocol
  'moduleTimedOut',
  'moduleAnswer', //       a query was answered with something that is no answer
  'untrustedProgram', //   a script or module that others than root could have written
  'scriptsVersion', //     the `version` file of a scripts directory
  'stateScriptFailed',
  'timedOut', //           a step took longer than ModuleTimeoutSeconds
  'rebootDidNotHappen',
  'updateInProgress',
  'wrongState', //         a command or step that does not fit the state of the update, or what the bootloader says has happened
  'unsupportedStop',
  'storeUnusable',
  'noDeployment', //       an action that needs an update in flight found none
  'decompressorMissing',

  // The server, or the way there.
  'serverNotReached',
  'unreachable', //        no answer: name, connection, TLS or time
  'unauthorized', //       it does not accept this device (yet), or no longer
  'refused', //            an answer with a status other than the expected; see `status`
  'badAnswer', //          an answer that is not what the protocol says
  'downloadFailed', //     the artifact's bytes could not be fetched to the end
  'artifactChanged', //    what was begun is not what is there now; it can be fetched from its first byte
] as const;
export type ClientErrorCode = (typeof clientErrorCodes)[number];

export interface ClientErrorFacts {
  /** The program that failed, or the file that is of no use. */
  readonly path?: string | undefined;
  /** The program's; of `commandLine`, the one this client ends with. */
  readonly exitCode?: number | undefined;
  /** HTTP status of the answer, when there was one. */
  readonly status?: number | undefined;
  /** How long the server asked to be left alone (429 or 503 with Retry-After). */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** The message says what was attempted, on what, and what to do. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;
  readonly path: string | undefined;
  readonly exitCode: number | undefined;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ClientErrorCode, message: string, facts: ClientErrorFacts = {}) {
    super(message, facts.cause === undefined ? {} : { cause: facts.cause });
    this.name = 'ClientError';
    this.code = code;
    this.path = facts.path;
    this.exitCode = facts.exitCode;
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** The code of whatever was thrown, read by field: errors of other packages and of Node have one, too. */
export const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

/** The words of whatever was thrown, for a log line. */
export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
