import type { LogEntry } from './write-log.ts';

/** Records of an update in flight, in the order in which the client may have them (client contract 11). */
const recordOrder = [
  'update-store',
  'update-install',
  'reboot',
  'after-reboot',
  'update-commit',
  'update-after-commit',
  'rollback',
  'rollback-reboot',
  'verify-rollback-reboot',
  'update-error',
  'cleanup',
] as const;

export type RecordName = (typeof recordOrder)[number];

/** What the bootloader must do at its next start. */
export type Decided = 'the old' | 'a trial' | 'a trial, or the old' | 'the new';

/** What must be on the disk once the device has come so far, whatever a power cut from then on takes with it. */
export interface Owed {
  /** This record of the update in flight or a later one; `none, it is over` when there must be none any more. */
  readonly record?: RecordName | 'none, it is over';
  /** Undefined: it is being decided. */
  readonly decided?: Decided | undefined;
}

/**
 * What a device is seen to begin, and what it then owes: it saves before it acts (client contract 10.2), and to save is to have on disk.
 * State scripts say that their state has come, the server what it has been told. Other marks change nothing of what is owed.
 */
// prettier-ignore
const milestones: Readonly<Record<string, Owed>> = {
  'script Download_Enter':               { record: 'update-store' },
  'status installing':                   { record: 'update-store' },
  'script ArtifactInstall_Enter':        { record: 'update-install', decided: undefined },
  'script ArtifactInstall_Leave':        { decided: 'a trial' },
  'script ArtifactReboot_Enter':         { record: 'reboot' },
  'script ArtifactReboot_Leave':         { record: 'after-reboot' },
  'script ArtifactCommit_Enter':         { record: 'update-commit', decided: undefined },
  'script ArtifactCommit_Leave':         { record: 'update-after-commit', decided: 'the new' },
  'script ArtifactRollback_Enter':       { record: 'rollback' },
  'script ArtifactRollbackReboot_Enter': { record: 'rollback-reboot' },
  'script ArtifactFailure_Enter':        { record: 'update-error' },
  'status success':                      { record: 'cleanup' },
  'status failure':                      { record: 'cleanup', decided: 'the old' },
};

/** What is owed after each entry of a log. */
export function owedAfter(entries: readonly LogEntry[]): readonly Owed[] {
  let owed: Owed = { decided: 'the old' };
  let isOver = false;
  return entries.map((entry) => {
    if (entry.kind !== 'mark') return owed;
    isOver ||= /^status (success|failure)$/.test(entry.text);
    owed = { ...owed, ...milestones[entry.text] };
    // It counts the trial, or goes back, and cannot flush what it writes.
    if (entry.text === 'the bootloader starts' && owed.decided === 'a trial')
      owed = { ...owed, decided: 'a trial, or the old' };
    if (isOver && entry.text === 'asks for a deployment') owed = { ...owed, record: 'none, it is over' };
    return owed;
  });
}

/** Whether one record is the other or comes after it. Names that are not in the order come before all. */
export const isAtLeast = (record: string | undefined, least: RecordName): boolean =>
  recordOrder.findIndex((name) => name === record) >= recordOrder.indexOf(least);
