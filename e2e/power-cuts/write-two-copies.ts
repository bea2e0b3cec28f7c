import { uBootTwoCopies } from '@tandem/boot-environment';
import { copyPair, decided } from './copy-pair.ts';

/* Turns the boot flag in the two plain copies on the block device that is named: what `two-copies.ts` has run, bundled, with a fault or without. */
const [path = ''] = process.argv.slice(2);
await uBootTwoCopies(copyPair(path)).write(decided);
