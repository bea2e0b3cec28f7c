import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { databasePath } from '../packages/server/src/commands/data-directory.ts';
import { machine, median } from './artifact-measure.ts';
import { makeFleet, type FleetDevice } from './server-fleet.ts';
import { startBare, startTandem, type MeasuredProcess } from './server-process.ts';
import { askAll, wireRequest } from './server-requests.ts';
import { writeResult } from './write-result.ts';

/**
 * Server CPU of a poll with nothing to do, against a bare `node:http` that reads the same request, and one row over an index, both on
 * plain HTTP in one interleaved run: 100,000 devices, 1,000 deployments that have ended and 100 under way, none of them for a device that polls.
 *
 *     node bench/server-poll.ts [--rounds 3] [--requests 40000] [--fleet DIR] [--write]
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    requests: { type: 'string', default: '40000' },
    fleet: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const before = machine();
const connections = 32;
const directory = values.fleet ?? mkdtempSync(join(tmpdir(), 'tandem-bench-'));
const count = Number(values.requests);

const next = '/api/devices/v1/deployments/device/deployments/next';
const nextV2 = '/api/devices/v2/deployments/device/deployments/next';
const provides = {
  device_type: 'raspberrypi4',
  artifact_name: 'release-1',
  'rootfs-image.version': 'release-1',
  'rootfs-image.checksum': '0'.repeat(64),
};
type Ask = (url: URL, device: FleetDevice) => string;
const polls = {
  'GET v1': (url, { token }) =>
    wireRequest(url, 'GET', `${next}?artifact_name=release-1&device_type=raspberrypi4`, { token }),
  'POST v2': (url, { token }) =>
    wireRequest(url, 'POST', nextV2, { token, body: { device_provides: provides } }),
} as const satisfies Record<string, Ask>;
/** The same request to the bare server, which finds the device in its path. */
const bare = {
  'GET v1': (url, { id, token }) => wireRequest(url, 'GET', `${next}/${id}`, { token }),
  'POST v2': (url, { id, token }) =>
    wireRequest(url, 'POST', `${nextV2}/${id}`, { token, body: { device_provides: provides } }),
} as const satisfies Record<keyof typeof polls, Ask>;

try {
  const { devices } = await makeFleet(directory, {
    devices: 100_000,
    finished: 1000,
    active: 100,
    idle: 10_000,
  });
  const microseconds = new Map<string, number[]>();
  const measure = async (name: string, server: MeasuredProcess, ask: Ask, from: number): Promise<void> => {
    const before = server.cpuSeconds();
    const { byStatus, seconds } = await askAll(server.url, connections, count, (number) => {
      const device = devices[(from + number) % devices.length];
      if (device === undefined) throw new Error('no device');
      return ask(server.url, device);
    });
    if (byStatus.get(204) !== count) throw new Error(`${name}: ${JSON.stringify([...byStatus])}`);
    const each = ((server.cpuSeconds() - before) / count) * 1e6;
    microseconds.set(name, [...(microseconds.get(name) ?? []), each]);
    process.stdout.write(
      `${name.padEnd(20)} ${each.toFixed(1)} µs/request  ${Math.round(count / seconds)}/s  ${Math.round(server.residentMiB())} MiB\n`,
    );
  };
  const bareServer = await startBare('read', databasePath(directory));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    // A new process: it has not seen a token yet.
    const tandem = await startTandem(directory);
    for (const name of ['GET v1', 'POST v2'] as const) {
      const from = name === 'GET v1' ? 0 : count;
      await measure(`${name}, bare`, bareServer, bare[name], from);
      await measure(`${name}, cold`, tandem, polls[name], from);
      await measure(`${name}, bare`, bareServer, bare[name], from);
      await measure(`${name}, warm`, tandem, polls[name], from);
    }
    await tandem.stop();
  }
  await bareServer.stop();
  const each = (name: string) => median(microseconds.get(name) ?? []);
  writeResult('server-poll', values.write, [
    `Server CPU (user and system, all threads) of a poll with nothing to do, ${count} polls a run by as many devices one after another over ${connections} connections; ${devices.length} devices, 1,000 deployments that have ended, 100 under way for others; check-in times are stored meanwhile. Cold is the first poll of a device after the server's start: its token is verified (RS256). ${values.rounds} interleaved rounds, medians. ${before}.`,
    '',
    '| | µs a request | to bare node:http, which reads the same request and one row |',
    '|---|---|---|',
    ...[...microseconds].map(
      ([name]) =>
        `| ${name} | ${each(name).toFixed(1)} | ${(each(name) / each(name.replace(/, .*/, ', bare'))).toFixed(2)} |`,
    ),
  ]);
} finally {
  if (values.fleet === undefined) rmSync(directory, { recursive: true });
}
