import { bootTestDevice } from './test-device.ts';

// One boot of a test device as a process of its own, so that it can be killed: boot-test-device.ts DIRECTORY
const [, , directory] = process.argv;
if (directory === undefined) throw new Error('Which directory is the device?');
await bootTestDevice(directory);
process.exit(0);
