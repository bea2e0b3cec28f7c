import { createInterface } from 'node:readline/promises';
import { logAs } from './log.ts';
import { runCommand } from './commands/run-command.ts';

const maxLineLength = 4096;

/** The one place where the real process, clock and console are taken up. */
const stopRequested = () =>
  new Promise<void>((resolve) => {
    // Not once: a terminal and a launcher may both pass the same signal on, and the second must not cut the clean end short.
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
    // The launcher is gone.
    process.once('disconnect', () => resolve());
    process.channel?.unref();
  });

process.exitCode = await runCommand(process.argv.slice(2), {
  environment: process.env,
  clock: Date.now,
  log: (format) => logAs[format]((line) => process.stdout.write(line), Date.now),
  print: (text) => process.stdout.write(`${text}\n`),
  printError: (text) => process.stderr.write(`${text}\n`),
  readLine: async () => {
    for await (const line of createInterface({ input: process.stdin })) return line.slice(0, maxLineLength);
    return '';
  },
  stopRequested,
});
