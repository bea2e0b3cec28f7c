import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runServerCommand } from '../packages/server/src/testing/server-process.ts';
import { machine } from './artifact-measure.ts';
import { makeFleet } from './server-fleet.ts';
import { startTandem } from './server-process.ts';
import { askAtRate, percentile, statusesText, total, wireRequest, type Answers } from './server-requests.ts';
import { writeResult } from './write-result.ts';

/**
 * A fleet of 100,000 devices that poll every 30 minutes (55 a second), and a burst of 2,000 polls a second for a minute beside it,
 * while somebody searches the inventory without a pause. The server has been up for a minute when the burst comes. Wanted: 99 of 100 polls within 50 ms, no 5xx, resident memory under 250 MiB.
 * Load and server share the machine's cores; the load is made by one process with kept connections.
 *
 *     node bench/server-burst.ts [--seconds 60] [--rate 2000] [--fleet DIR] [--write]
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '2000' },
    fleet: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const before = machine();
const directory = values.fleet ?? mkdtempSync(join(tmpdir(), 'tandem-bench-'));
const seconds = Number(values.seconds);
const cadencePerSecond = 55;
const secondsBefore = 60;
const user = { email: 'bench@example.com', password: 'correct horse battery' };
const nextV2 = '/api/devices/v2/deployments/device/deployments/next';
const provides = {
  device_type: 'raspberrypi4',
  artifact_name: 'release-1',
  'rootfs-image.version': 'release-1',
};
const search = {
  page: 1,
  per_page: 20,
  filters: [
    { scope: 'inventory', attribute: 'kernel', type: '$regex', value: '6\\.6\\.(7|17|27)$' },
    { scope: 'inventory', attribute: 'mem_total_kB', type: '$gt', value: 900_500 },
  ],
  sort: [{ scope: 'inventory', attribute: 'hostname', order: 'desc' }],
};

try {
  const { devices } = await makeFleet(directory, {
    devices: 100_000,
    finished: 1000,
    active: 100,
    idle: 10_000,
  });
  // Ends with 1 where the user is there from an earlier run.
  await runServerCommand(
    ['user', 'create', '--data-dir', directory, '--email', user.email, '--password-stdin'],
    `${user.password}\n`,
  );
  const server = await startTandem(directory);
  const authorization = `Basic ${Buffer.from(`${user.email}:${user.password}`).toString('base64')}`;
  const logIn = await fetch(new URL('/api/management/v1/useradm/auth/login', server.url), {
    method: 'POST',
    headers: { authorization },
  });
  if (logIn.status !== 200) throw new Error(`log in: ${logIn.status} ${await logIn.text()}`);
  const userToken = await logIn.text();

  const poll = (from: number) => (number: number) => {
    const device = devices[(from + number) % devices.length];
    if (device === undefined) throw new Error('no device');
    return wireRequest(server.url, 'POST', nextV2, {
      token: device.token,
      body: { device_provides: provides },
    });
  };
  const cadenceAnswered = askAtRate(
    server.url,
    { perSecond: cadencePerSecond, seconds: secondsBefore + seconds, maxConnections: 50 },
    poll(0),
  );
  await wait(secondsBefore * 1000);
  const searches = { isOver: false, milliseconds: [] as number[], byStatus: new Map<number, number>() };
  const searching = (async () => {
    while (!searches.isOver) {
      const asked = performance.now();
      const answer = await fetch(new URL('/api/management/v2/inventory/filters/search', server.url), {
        method: 'POST',
        headers: { authorization: `Bearer ${userToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(search),
      });
      await answer.arrayBuffer();
      searches.milliseconds.push(performance.now() - asked);
      searches.byStatus.set(answer.status, (searches.byStatus.get(answer.status) ?? 0) + 1);
    }
  })();
  const cpuBefore = server.cpuSeconds();
  const [cadence, burst] = await Promise.all([
    cadenceAnswered,
    askAtRate(server.url, { perSecond: Number(values.rate), seconds, maxConnections: 200 }, poll(20_000)),
  ]);
  searches.isOver = true;
  await searching;
  const cpu = server.cpuSeconds() - cpuBefore;
  const peak = server.peakMiB();
  await server.stop();

  const row = (name: string, answers: Answers): string =>
    `| ${[name, total(answers), [50, 95, 99, 99.9, 100].map((percent) => percentile(answers, percent).toFixed(1)).join(' | '), statusesText(answers.byStatus)].join(' | ')} |`;
  const sorted = { latencies: Float64Array.from(searches.milliseconds).sort() };
  writeResult('server-burst', values.write, [
    `${devices.length} devices, ${cadencePerSecond} polls a second for ${secondsBefore + seconds} s and ${values.rate} more for the last ${seconds} of them, each the first of its device until all have come; meanwhile the inventory is searched, one search after another (a regular expression and a comparison over all devices, sorted); load and server on the same machine, plain HTTP, kept connections. ${before}.`,
    '',
    '| | requests | p50 ms | p95 | p99 | p99.9 | max | answers |',
    '|---|---|---|---|---|---|---|---|',
    row('cadence', cadence),
    row('burst', burst),
    `| searches | ${searches.milliseconds.length} | ${[50, 95, 99, 99.9, 100].map((percent) => percentile(sorted, percent).toFixed(0)).join(' | ')} | ${statusesText(searches.byStatus)} |`,
    '',
    `Server CPU ${cpu.toFixed(1)} s of ${seconds} s a core; resident memory at most ${Math.round(peak)} MiB.`,
  ]);
} finally {
  if (values.fleet === undefined) rmSync(directory, { recursive: true });
}
