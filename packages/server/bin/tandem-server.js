#!/usr/bin/env node
// Finds the Node 26 that came with the installation and runs the server with it, whatever Node (>= 20) this is, from any directory.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(realpathSync(fileURLToPath(import.meta.url)));
const main = join(here, '..', 'src', 'main.ts');

const bundledNode = () => {
  for (let directory = here; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', '.bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (directory === dirname(directory)) return process.execPath;
  }
};

const server = spawn(bundledNode(), [main, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => server.kill(signal));
server.on('error', (error) => {
  process.stderr.write(`tandem-server: cannot start Node 26: ${error.message}; run npm ci\n`);
  process.exitCode = 1;
});
server.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 128 + 15);
});
