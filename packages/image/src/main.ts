import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';
import { programRunner } from './run-program.ts';

/** The one place where the real world is taken up. */
const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => controller.abort(new Error(`ended by ${signal}`)));
process.once('disconnect', () => controller.abort(new Error('its launcher is gone')));
process.channel?.unref();

process.exitCode = await runCommand(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  run: programRunner(process.env, controller.signal),
  runAtEnd: programRunner(process.env, new AbortController().signal),
  environment: process.env,
  userId: process.getuid?.() ?? 0,
  nowMs: () => Date.now(),
  boardDirectory: join(import.meta.dirname, '..', 'boards'),
  temporaryDirectory: tmpdir(),
  signal: controller.signal,
});
