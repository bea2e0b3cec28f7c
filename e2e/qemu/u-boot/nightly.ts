import { countingUBoot } from './guests.ts';
import { describeUpdates } from './updates.ts';

describeUpdates('a device started by a U-Boot that counts boots', countingUBoot);
