import { createHash } from 'node:crypto';
import type { ReleaseName } from './releases.ts';

/**
 * Where the cord is pulled: behind a line of the serial console, a seeded part of `withinMs` later. The lines are the client's (states
 * of an update, what is written), the kernel's, the firmware's and GRUB's own; the time behind a line reaches into what it begins.
 */
export interface CutPoint {
  readonly line: RegExp;
  readonly withinMs: number;
}

// prettier-ignore
export const cutPoints = {
  // ---- into the inactive partition
  'download begins':           { line: /Entering state Download"/,                    withinMs: 1000 },
  'the image begins':          { line: /Writing \S+, \d+ bytes, to/,                  withinMs: 2000 },
  'half of the image':         { line: / 50% of /,                                    withinMs: 1500 },
  'flush and read back':       { line: / 100% of /,                                   withinMs: 2500 },
  'the image is whole':        { line: /Wrote \/dev/,                                 withinMs: 300 },
  'install is recorded':       { line: /Entering state ArtifactInstall_Enter"/,       withinMs: 300 },
  'the flag is turned':        { line: /Entering state ArtifactInstall"/,             withinMs: 300 },
  'the flag stands':           { line: /The next boot tries/,                         withinMs: 300 },
  // ---- into the new root file system
  'the reboot is recorded':    { line: /Entering state ArtifactReboot_Enter"/,        withinMs: 300 },
  'the device shuts down':     { line: /msg="Rebooting"/,                             withinMs: 2000 },
  'reset':                     { line: /reboot: Restarting system/,                   withinMs: 3000 },
  'GRUB reads and counts':     { line: /BdsDxe: starting/,                            withinMs: 1500 },
  'GRUB starts the trial':     { line: /^Tandem: starting partition 3/,               withinMs: 1000 },
  'the kernel of the trial':   { line: /^Tandem: starting partition 3/,               withinMs: 8000 },
  'the client of the trial':   { line: /Entering state ArtifactVerifyReboot"/,        withinMs: 1000 },
  // ---- commit
  'commit is recorded':        { line: /Entering state ArtifactCommit_Enter"/,        withinMs: 300 },
  'commit':                    { line: /Entering state ArtifactCommit"/,              withinMs: 300 },
  'after commit':              { line: /Entering state AfterCommit"/,                 withinMs: 300 },
  'what it provides is saved': { line: /Entering state SaveProvides"/,                withinMs: 200 },
  'cleanup':                   { line: /Entering state Cleanup"/,                     withinMs: 200 },
  'the end is reported':       { line: /Reported (success|failure)/,                  withinMs: 200 },
  // ---- back
  'rollback is recorded':      { line: /Entering state ArtifactRollback_Enter"/,      withinMs: 300 },
  'the flag is turned back':   { line: /Entering state ArtifactRollback"/,            withinMs: 300 },
  'the flag stands back':      { line: /The next boot goes back/,                     withinMs: 300 },
  'the reboot back':           { line: /Entering state ArtifactRollbackReboot"/,      withinMs: 3000 },
  'the client is back':        { line: /Entering state ArtifactVerifyRollbackReboot"/, withinMs: 300 },
  'panic':                     { line: /Kernel panic/,                                withinMs: 2000 },
  'GRUB goes back':            { line: /^Tandem: ROLLBACK/,                           withinMs: 300 },
} as const satisfies Readonly<Record<string, CutPoint>>;
export type CutName = keyof typeof cutPoints;

/** One update and the cuts in it, each in what the device does after the one before. */
export interface CutRun {
  /** One that is committed, one that is not well, or one that panics. */
  readonly release: ReleaseName;
  readonly cuts: readonly CutName[];
  /** How the deployment must end. `either`: the last cut may fall on either side of the flag, and both are good ends. */
  readonly ends: 'success' | 'failure' | 'either';
}

// prettier-ignore
export const cutRuns: readonly CutRun[] = [
  { release: 'guest-2',      ends: 'success', cuts: ['download begins', 'the image begins', 'half of the image', 'flush and read back'] },
  { release: 'guest-2',      ends: 'either',  cuts: ['GRUB reads and counts', 'the flag stands', 'GRUB reads and counts'] },
  { release: 'guest-2',      ends: 'success', cuts: ['after commit', 'what it provides is saved', 'cleanup', 'the end is reported'] },
  { release: 'guest-2',      ends: 'either',  cuts: ['commit', 'what it provides is saved', 'the end is reported'] },
  { release: 'guest-unwell', ends: 'failure', cuts: ['the flag is turned back', 'cleanup', 'the end is reported'] },
  { release: 'guest-2',      ends: 'either',  cuts: ['the reboot is recorded', 'GRUB starts the trial', 'GRUB goes back'] },
  { release: 'guest-2',      ends: 'either',  cuts: ['the flag is turned', 'GRUB reads and counts', 'the kernel of the trial'] },
  { release: 'guest-panics', ends: 'failure', cuts: ['panic', 'GRUB goes back', 'the flag is turned back', 'cleanup'] },
  { release: 'guest-2',      ends: 'either',  cuts: ['reset', 'GRUB reads and counts', 'the client of the trial'] },
  { release: 'guest-unwell', ends: 'failure', cuts: ['the flag stands back', 'the client is back', 'cleanup'] },
  { release: 'guest-2',      ends: 'either',  cuts: ['the image is whole', 'install is recorded', 'the flag is turned back'] },
  { release: 'guest-2',      ends: 'either',  cuts: ['the device shuts down', 'the kernel of the trial', 'GRUB goes back'] },
  { release: 'guest-unwell', ends: 'failure', cuts: ['rollback is recorded', 'GRUB goes back', 'cleanup'] },
  { release: 'guest-2',      ends: 'either',  cuts: ['commit is recorded', 'GRUB goes back', 'the end is reported'] },
  { release: 'guest-unwell', ends: 'failure', cuts: ['the reboot back', 'GRUB reads and counts', 'the client is back'] },
];

/** How long after its line a cut comes: the same for the same seed, run and place in it. */
export function chooseMoment(seed: string, run: number, place: number, { withinMs }: CutPoint): number {
  const digest = createHash('sha256')
    .update(`${seed}\0${String(run)}\0${String(place)}`)
    .digest();
  return Math.floor((digest.readUInt32LE(0) / 2 ** 32) * withinMs);
}
