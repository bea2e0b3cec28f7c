import { describeUpdates } from './updates.ts';

describeUpdates('a device started by GRUB', { everything: true });
