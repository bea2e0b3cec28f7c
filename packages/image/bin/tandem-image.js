#!/usr/bin/env node
// Runs the image builder with the Node 26 that came with the installation, whatever Node (>= 20) this is, from any directory.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(realpathSync(fileURLToPath(import.meta.url)));
const main = join(here, '..', 'src', 'main.ts');
const isNewEnough = Number(process.versions.node.split('.')[0]) >= 26;

if (isNewEnough) {
  // In this very process: whoever stops or kills it means the image builder.
  await import(pathToFileURL(main).href);
} else {
  runWith(bundledNode());
}

function bundledNode() {
  for (let directory = here; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', '.bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (directory === dirname(directory)) {
      process.stderr.write('tandem-image: there is no Node 26 beside it; run npm ci\n');
      process.exit(1);
    }
  }
}

function runWith(node) {
  // Over the channel the builder learns that this process is gone, even when it was killed, and stops.
  const builder = spawn(node, [main, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => builder.kill(signal));
  builder.on('error', (error) => {
    process.stderr.write(`tandem-image: cannot start ${node}: ${error.message}; run npm ci\n`);
    process.exitCode = 1;
  });
  builder.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}
