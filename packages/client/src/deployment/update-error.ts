/** What can go wrong with an update on the device, besides what the artifact library and the server connection say. */
export const updateErrorCodes = [
  'artifactRefused', //    genuine and whole, but not for this device, or not what was offered
  'moduleMissing', //      no update module and no built-in installer for the payload type
  'moduleFailed', //       an update module exited otherwise than with 0, or broke the streams protocol
  'moduleTimedOut',
  'moduleAnswer', //       a query was answered with something that is no answer
  'untrustedProgram', //   a script or module that others than root could have written
  'scriptsVersion', //     the `version` file of a scripts directory
  'stateScriptFailed',
  'rebootDidNotHappen',
  'updateInProgress',
  'wrongState', //         a standalone command that does not fit the state of the update
  'unsupportedStop',
  'artifactUnreadable', // the file or address to install from
  'storeUnusable',
  'noDeployment', //       an action that needs an update in flight found none
  'decompressorMissing',
  'serverNotReached',
] as const;
export type UpdateErrorCode = (typeof updateErrorCodes)[number];

export interface UpdateErrorFacts {
  readonly path?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly cause?: unknown;
}

/** The message says what was attempted, on what, and what to do. */
export class UpdateError extends Error {
  readonly code: UpdateErrorCode;
  readonly path: string | undefined;
  readonly exitCode: number | undefined;

  constructor(code: UpdateErrorCode, message: string, facts: UpdateErrorFacts = {}) {
    super(message, facts.cause === undefined ? {} : { cause: facts.cause });
    this.name = 'UpdateError';
    this.code = code;
    this.path = facts.path;
    this.exitCode = facts.exitCode;
  }
}

/** The code of whatever was thrown, read by field: errors of other packages and of Node have one, too. */
export const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

/** The words of whatever was thrown, for a log line. */
export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
