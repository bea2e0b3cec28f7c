/** Exit statuses of mender-artifact 4.x (format contract 9.1). */
export const exitStatus = {
  ok: 0,
  invalidParameters: 1,
  failed: 1,
  unsupportedVersion: 2,
  cannotCreateOutput: 3,
  helpTopicUnknown: 3,
  cannotOpenInput: 4,
  invalidArtifact: 5,
  unsupportedFeature: 6,
  systemError: 7,
} as const;
export type ExitReason = keyof typeof exitStatus;

/** Ends the program: the message goes to stderr as it is. */
export class CommandError extends Error {
  readonly reason: ExitReason;
  /** Whether the command's help is shown on stdout before. */
  readonly showsHelp: boolean;

  constructor(reason: ExitReason, message: string, facts: { showsHelp?: boolean; cause?: unknown } = {}) {
    super(message, facts.cause === undefined ? {} : { cause: facts.cause });
    this.name = 'CommandError';
    this.reason = reason;
    this.showsHelp = facts.showsHelp ?? false;
  }
}
