import { bootTestDevice } from './test-device.ts';

// One boot of a test device as a process of its own, so that it can be killed: boot-test-device.ts DIRECTORY [RECORD]
// With RECORD it kills itself as soon as a record of that name is on disk. Exit code 3: it has rebooted.
const [, , directory, record] = process.argv;
if (directory === undefined) throw new Error('Which directory is the device?');
const end = await bootTestDevice(
  directory,
  record === undefined
    ? {}
    : { powerCutAfterSaving: record, powerCut: () => process.kill(process.pid, 'SIGKILL') },
);
process.exit(end === 'rebooted' ? 3 : 0);
