import { test } from 'node:test';
import { pullTheCord, wordsOf, type PowerCut } from './power-cut.ts';

// One of each kind; power-cuts.long-test.ts has the others.
// prettier-ignore
const cuts: readonly PowerCut[] = [
  { version: 2, cutIn: 'ArtifactInstall_Leave',        ends: 'failure' },
  { version: 2, cutIn: 'ArtifactReboot_Enter',         ends: 'success' }, // the flag is set: power-on is the reboot
  { version: 2, cutIn: 'ArtifactCommit_Enter',         ends: 'failure' },
  { version: 3, cutIn: 'ArtifactRollback_Enter',       ends: 'failure' },
];

for (const cut of cuts) test(wordsOf(cut), () => pullTheCord(cut));
