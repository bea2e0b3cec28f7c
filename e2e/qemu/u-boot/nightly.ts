import { countingUBoot, stockUBoot } from './guests.ts';
import { describeUpdates } from './updates.ts';

describeUpdates("a device started by Debian's U-Boot as it is", stockUBoot, { everything: true });
describeUpdates('a device started by a U-Boot that counts boots', countingUBoot, { everything: true });
