// Plain JavaScript that any Node from 20 on can run. It starts the client, in this process where that is possible:
// the bundle when it is there and newer than the sources, else the sources by a Node that runs TypeScript.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const client = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const bundle = join(client, 'dist', 'tandem-update.mjs');
const entry = join(client, 'src', 'cli', 'bundle-entry.ts');
const sources = [client, join(client, '../artifact'), join(client, '../boot-environment')].map((directory) =>
  join(directory, 'src'),
);

/** Runs the client under one of its program names. */
export async function launch(programName) {
  process.argv[1] = join(dirname(process.argv[1]), programName);
  // Started by `goOnIn`: whoever ends that launcher, even by SIGKILL, means this process.
  if (process.connected) process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  if (existsSync(bundle) && (!existsSync(entry) || statSync(bundle).mtimeMs > newestOf(sources))) {
    await import(pathToFileURL(bundle).href);
  } else if (runsTypeScript()) {
    await import(pathToFileURL(entry).href);
  } else {
    goOnIn(findBundledNode(), programName);
  }
}

function newestOf(directories) {
  let newest = 0;
  for (const directory of directories) {
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory, { recursive: true })) {
      newest = Math.max(newest, statSync(join(directory, String(name))).mtimeMs);
    }
  }
  return newest;
}

function runsTypeScript() {
  return typeof process.features.typescript === 'string';
}

/** The Node 26 that `npm ci` has put beside the project. */
function findBundledNode() {
  for (let directory = client; ; directory = dirname(directory)) {
    const node = join(directory, 'node_modules', '.bin', 'node');
    if (existsSync(node) && realpathSync(node) !== realpathSync(process.execPath)) return node;
    if (dirname(directory) === directory) return undefined;
  }
}

function goOnIn(node, programName) {
  if (node === undefined) {
    process.stderr.write(
      `${programName}: ${process.execPath} is Node ${process.versions.node}, which cannot run the sources. ` +
        'Run "npm ci", or build the bundle with "npm run build:client".\n',
    );
    process.exitCode = 1;
    return;
  }
  const launcher = join(client, 'bin', `${programName}.js`);
  const child = spawn(node, [launcher, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => {
    process.stderr.write(`${programName}: cannot start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('close', (exitCode, signal) => {
    process.exitCode = exitCode ?? 128 + (constants.signals[signal] ?? 0);
  });
}
