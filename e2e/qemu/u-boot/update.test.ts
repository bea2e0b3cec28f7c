import { stockUBoot } from './guests.ts';
import { describeUpdates } from './updates.ts';

describeUpdates("a device started by Debian's U-Boot as it is", stockUBoot);
