import { createInterface } from 'node:readline/promises';
import { setFlagsFromString } from 'node:v8';
import { gatheredLines } from './gathered-lines.ts';
import { logAs } from './log.ts';
import { runCommand } from './commands/run-command.ts';
import { virtualDevicesOfParent } from './virtual-devices.ts';

const maxLineLength = 4096;
/** So late a line of the log may be, and so much of it a kill may cost. */
const gatherMs = 50;

/** The one place where the real process, clock and console are taken up. */
const stopRequested = () =>
  new Promise<void>((resolve) => {
    // Not once: a terminal and a launcher may both pass the same signal on, and the second must not cut the clean end short.
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
    // The launcher is gone.
    process.once('disconnect', () => resolve());
    process.channel?.unref();
  });

// What lives is some forty megabytes; left to itself the heap grows to five times that before it is swept, in one long pause.
setFlagsFromString('--heap-growing-percent=40');

const output = gatheredLines(
  (text) => process.stdout.write(text),
  (run) => setTimeout(run, gatherMs),
);
process.on('exit', output.flush);

process.exitCode = await runCommand(process.argv.slice(2), {
  environment: process.env,
  clock: Date.now,
  log: (format) => logAs[format](output.line, Date.now),
  print: (text) => {
    output.line(() => `${text}\n`);
    output.flush();
  },
  printError: (text) => process.stderr.write(`${text}\n`),
  readLine: async () => {
    for await (const line of createInterface({ input: process.stdin })) return line.slice(0, maxLineLength);
    return '';
  },
  virtualDevices: virtualDevicesOfParent(process),
  stopRequested,
});
