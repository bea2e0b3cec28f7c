import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { benchOptions, machine, median } from './artifact-measure.ts';
import { makeClientDevice, type Command } from './client-device.ts';
import { writeResult } from './write-result.ts';

/**
 * What a client costs that has nothing to do: the memory of the resident one after its first poll, ours beside Debian's mender-client;
 * and a whole run of `daemon --once`, which leaves none. As root:
 *
 *     node bench/client-idle.ts [--rounds 3] [--write]
 */

const { values } = parseArgs({ options: benchOptions });
const rounds = Number(values.rounds);
const settleMs = 20_000;

const before = machine();
const directory = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'client-idle-'));
const server = createServer((request, response) => {
  request.resume();
  const { url = '' } = request;
  if (url.endsWith('/auth_requests')) response.end('a.token');
  else if (url.endsWith('/deployments/next')) response.writeHead(204).end();
  else response.end();
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const ServerURL = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
const device = makeClientDevice(directory, 1 << 20, { ServerURL, DBus: { Enabled: false } });
try {
  const residents = {
    'mender 3.4, resident': device.mender(['daemon']),
    'ours, resident': device.ours('usual', ['daemon']),
    'ours, resident, small': device.ours('small', ['daemon']),
  } as const;
  const memory = new Map<string, number[]>(Object.keys(residents).map((name) => [name, []]));
  const runs: { wallMs: number; cpuSeconds: number; peakMiB: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, command] of Object.entries(residents)) {
      await device.reset();
      memory.get(name)?.push(await residentMiB(command));
    }
    // The key is made once in the life of a device.
    await runOnce(device.ours('usual', ['daemon', '--once']));
    runs.push(await runOnce(device.ours('usual', ['daemon', '--once'])));
  }
  const bundle = statSync(join(directory, 'client/tandem-update.mjs')).size;
  const of = (part: keyof (typeof runs)[number]) => median(runs.map((run) => run[part]));
  writeResult('client-idle', values.write, [
    `${values.rounds} interleaved rounds, medians. Memory is what of the process is in memory, its program included (Rss), ` +
      `${String(settleMs / 1000)} s after its start. The bundle has ${String(Math.round(bundle / 1024))} KiB. ${before}.`,
    '',
    '|  | MiB between polls | one poll: wall s | CPU s | peak MiB |',
    '| --- | --- | --- | --- | --- |',
    ...[...memory].map(([name, figures]) => `| ${name} | ${median(figures).toFixed(1)} | | | |`),
    `| ours, once | 0 | ${(of('wallMs') / 1000).toFixed(2)} | ${of('cpuSeconds').toFixed(2)} | ${of('peakMiB').toFixed(0)} |`,
  ]);
} finally {
  device.close();
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
}

/** The commands end by `exec`, so the process that was started becomes the client. */
async function residentMiB([program, ...args]: Command): Promise<number> {
  const child = spawn(program, args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  await wait(settleMs);
  try {
    const [, kiB] =
      /^Rss:\s+(\d+)/m.exec(readFileSync(`/proc/${String(child.pid)}/smaps_rollup`, 'utf8')) ?? [];
    return Number(kiB) / 1024;
  } finally {
    child.kill();
    await exited;
  }
}

/** Beside the server, which is in this process: not by `measure`, which waits. */
async function runOnce([program, ...args]: Command): Promise<{
  wallMs: number;
  cpuSeconds: number;
  peakMiB: number;
}> {
  const begun = performance.now();
  const child = spawn('/usr/bin/time', ['-f', '%U %S %M', program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const [exitCode] = (await once(child, 'close')) as [number | null];
  const wallMs = performance.now() - begun;
  const [user, system, peakKiB] = (said.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  if (exitCode !== 0 || user === undefined || system === undefined || peakKiB === undefined)
    throw new Error(`${program} ended with ${String(exitCode)}: ${said}`);
  return { wallMs, cpuSeconds: user + system, peakMiB: peakKiB / 1024 };
}
