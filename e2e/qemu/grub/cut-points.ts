import { createHash } from 'node:crypto';
import type { ReleaseName } from './releases.ts';

/**
 * Where the cord is pulled: behind a line of the serial console, a seeded part of `withinMs` later. The lines are the client's (states
 * of an update, what is written), the kernel's, the firmware's and GRUB's own; the time behind a line reaches into what it begins.
 */
export interface CutPoint {
  readonly line: RegExp;
  /** The line counts only behind one of these. */
  readonly behind?: RegExp;
  readonly withinMs: number;
  /** Installed when the power goes: one that is committed, one that is not well, or one that panics. */
  readonly release: ReleaseName;
  /** How the deployment must end. `either`: before it or behind it, both are good ends. */
  readonly ends: 'success' | 'failure' | 'either';
}

// prettier-ignore
export const cutPoints = {
  // ---- into the inactive partition
  'download begins':            { release: 'guest-2',      line: /Entering state Download"/,                withinMs: 1000, ends: 'success' },
  'the image begins':           { release: 'guest-2',      line: /Writing \S+, \d+ bytes, to/,              withinMs: 2000, ends: 'success' },
  'half of the image':          { release: 'guest-2',      line: / 50% of /,                                withinMs: 1500, ends: 'success' },
  'flush and read back':        { release: 'guest-2',      line: / 100% of /,                               withinMs: 2500, ends: 'success' },
  'the image is whole':         { release: 'guest-2',      line: /Wrote \/dev/,                             withinMs: 300,  ends: 'either' },
  'install is recorded':        { release: 'guest-2',      line: /Entering state ArtifactInstall_Enter"/,   withinMs: 300,  ends: 'either' },
  'the flag is turned':         { release: 'guest-2',      line: /Entering state ArtifactInstall"/,         withinMs: 300,  ends: 'either' },
  'the flag stands':            { release: 'guest-2',      line: /The next boot tries/,                     withinMs: 300,  ends: 'either' },
  // ---- into the new root file system
  'the reboot is recorded':     { release: 'guest-2',      line: /Entering state ArtifactReboot_Enter"/,    withinMs: 300,  ends: 'either' },
  'the device shuts down':      { release: 'guest-2',      line: /msg="Rebooting"/,                         withinMs: 2000, ends: 'either' },
  'reset':                      { release: 'guest-2',      line: /reboot: Restarting system/,               withinMs: 3000, ends: 'either' },
  'GRUB counts the trial':      { release: 'guest-2',      line: /BdsDxe: starting/, behind: /reboot: Restarting system/, withinMs: 1500, ends: 'either' },
  'GRUB starts the trial':      { release: 'guest-2',      line: /^Tandem: starting partition 3/,           withinMs: 1000, ends: 'failure' },
  'the kernel of the trial':    { release: 'guest-2',      line: /^Tandem: starting partition 3/,           withinMs: 8000, ends: 'failure' },
  'the client of the trial':    { release: 'guest-2',      line: /Entering state ArtifactVerifyReboot"/,    withinMs: 1000, ends: 'either' },
  // ---- commit
  'commit is recorded':         { release: 'guest-2',      line: /Entering state ArtifactCommit_Enter"/,    withinMs: 300,  ends: 'either' },
  'commit':                     { release: 'guest-2',      line: /Entering state ArtifactCommit"/,          withinMs: 300,  ends: 'either' },
  'after commit':               { release: 'guest-2',      line: /Entering state AfterCommit"/,             withinMs: 300,  ends: 'success' },
  'what it provides is saved':  { release: 'guest-2',      line: /Entering state SaveProvides"/,            withinMs: 200,  ends: 'success' },
  'cleanup':                    { release: 'guest-2',      line: /Entering state Cleanup"/,                 withinMs: 200,  ends: 'success' },
  'the end is reported':        { release: 'guest-2',      line: /Reported success/,                        withinMs: 200,  ends: 'success' },
  // ---- the client's way back
  'rollback is recorded':       { release: 'guest-unwell', line: /Entering state ArtifactRollback_Enter"/,  withinMs: 300,  ends: 'failure' },
  'the flag is turned back':    { release: 'guest-unwell', line: /Entering state ArtifactRollback"/,        withinMs: 300,  ends: 'failure' },
  'the flag stands back':       { release: 'guest-unwell', line: /The next boot goes back/,                 withinMs: 300,  ends: 'failure' },
  'the reboot back':            { release: 'guest-unwell', line: /Entering state ArtifactRollbackReboot"/,  withinMs: 3000, ends: 'failure' },
  'the client is back':         { release: 'guest-unwell', line: /Entering state ArtifactVerifyRollbackReboot"/, withinMs: 300, ends: 'failure' },
  'cleanup of a failure':       { release: 'guest-unwell', line: /Entering state Cleanup"/,                 withinMs: 200,  ends: 'failure' },
  // ---- GRUB's way back
  'panic':                      { release: 'guest-panics', line: /Kernel panic/,                            withinMs: 2000, ends: 'failure' },
  'GRUB goes back':             { release: 'guest-panics', line: /^Tandem: ROLLBACK/,                       withinMs: 300,  ends: 'failure' },
} as const satisfies Readonly<Record<string, CutPoint>>;
export type CutName = keyof typeof cutPoints;

export interface ChosenCut {
  readonly afterMs: number;
  /** Every third time the power goes once more, so long after it came back. */
  readonly againMs: number | undefined;
}

const againWithinMs = 20_000;

/** The same for the same seed, name and round. */
export function chooseCut(seed: string, name: CutName, round: number): ChosenCut {
  const digest = createHash('sha256')
    .update(`${seed}\0${name}\0${String(round)}`)
    .digest();
  const share = (index: number): number => digest.readUInt32LE(index * 4) / 2 ** 32;
  return {
    afterMs: Math.floor(share(0) * cutPoints[name].withinMs),
    againMs: share(1) < 1 / 3 ? Math.floor(share(2) * againWithinMs) : undefined,
  };
}
