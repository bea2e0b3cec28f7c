// Plain JavaScript that any Node from 20 on can run: it finds the Node the programs are written for and goes on there.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import * as module from 'node:module';
import { availableParallelism, constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bundledMajor = 26;

/** Runs `src/main.ts` under the given program name, here or in the Node installed beside the project. */
export async function launch(programName) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const stripsTypes = major > 23 || (major === 22 && minor >= 18) || (major === 23 && minor >= 6);
  const node = major >= bundledMajor ? undefined : findBundledNode(realpathSync(process.argv[1]));
  if (node !== undefined) return runIn(node);
  if (!stripsTypes) {
    process.stderr.write(
      `${programName}: needs Node ${bundledMajor}, found ${process.version} at ${process.execPath}. Run "npm ci" in the project, which brings it.\n`,
    );
    process.exitCode = 1;
    return;
  }
  keepCompiled();
  // Beside those that compress, a thread each to read and write and to wait for the disk; Node itself has four on any machine.
  process.env.UV_THREADPOOL_SIZE ??= String(Math.min(availableParallelism() + 3, 10));
  const { main } = await import('../src/main.ts');
  await main(programName);
}

/** Taking the types out takes a quarter of a second; the next start finds it done. Where nothing can be kept, nothing is. */
function keepCompiled() {
  const { HOME: home = '/nonexistent', XDG_CACHE_HOME: given } = process.env;
  const cache = given || join(home, '.cache');
  const kept = join(cache, 'tandem-artifact');
  // Made here: Node's own attempt never ends where a file system takes no directories.
  for (const directory of [cache, kept]) if (!existsSync(directory) && !isMade(directory)) return;
  module.enableCompileCache?.(kept);
}

function isMade(directory) {
  try {
    mkdirSync(directory, 0o700);
    return true;
  } catch {
    return existsSync(directory);
  }
}

function findBundledNode(from) {
  for (let directory = dirname(from); ; directory = dirname(directory)) {
    const node = join(directory, 'node_modules', '.bin', 'node');
    if (existsSync(node) && realpathSync(node) !== realpathSync(process.execPath)) return node;
    if (dirname(directory) === directory) return undefined;
  }
}

function runIn(node) {
  const launcher = fileURLToPath(new URL('.', import.meta.url));
  const script = join(launcher, `${process.argv[1].split('/').pop().replace(/\.js$/, '')}.js`);
  const child = spawn(node, [script, ...process.argv.slice(2)], { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`cannot start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('close', (exitCode, signal) => {
    process.exitCode = exitCode ?? 128 + (constants.signals[signal] ?? 0);
  });
}
