import { test } from 'node:test';
import { pullTheCord, wordsOf, type PowerCut } from './power-cut.ts';

// Those that power-cuts.test.ts leaves out.
// prettier-ignore
const cuts: readonly PowerCut[] = [
  { version: 2, cutIn: 'ArtifactInstall_Enter',        ends: 'failure' },
  { version: 2, cutIn: 'ArtifactReboot_Leave',         ends: 'failure' }, // the bootloader gives a trial one boot
  { version: 2, cutIn: 'ArtifactCommit_Leave',         ends: 'success' },
  { version: 3, cutIn: 'ArtifactRollbackReboot_Enter', ends: 'failure' },
  { version: 3, cutIn: 'ArtifactFailure_Enter',        ends: 'failure' },
];

for (const cut of cuts) test(wordsOf(cut), () => pullTheCord(cut));
