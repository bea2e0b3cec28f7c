import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { claimDirectory } from './directory-claim.ts';
import { runDemo } from './run-demo.ts';
import { findPrograms } from './prerequisites.ts';

/** `npm run demo [-- --exit] [--directory DIR]` */

const { values } = parseArgs({
  options: {
    exit: { type: 'boolean', default: false },
    directory: { type: 'string', default: '.demo' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(`Usage: npm run demo [-- OPTIONS]

One real deployment, end to end: a server, three virtual devices, one good update and one that rolls back.

  --exit            end when it is shown; exit code 0 only if every device is exactly where it should be
  --directory DIR   where everything is kept (default: .demo); emptied at the start
`);
} else {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      stop.abort();
    });
  try {
    const programs = findPrograms();
    const directory = resolve(values.directory);
    await claimDirectory(directory);
    const passed = await runDemo({
      directory,
      programs,
      stay: !values.exit,
      say: (line) => process.stdout.write(`${line}\n`),
      signal: stop.signal,
    });
    process.exitCode = passed ? 0 : 1;
  } catch (error) {
    if (!stop.signal.aborted) {
      process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  }
}
