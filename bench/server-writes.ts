import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { databasePath } from '../packages/server/src/commands/data-directory.ts';
import { idsOfChunk, sortedIds, targetChunks } from '../packages/server/src/deployments/deployment-target.ts';
import { machine, median } from './artifact-measure.ts';
import { makeFleet, type FleetDevice } from './server-fleet.ts';
import { startGrouping } from './server-process.ts';
import { askAll, percentile, wireRequest } from './server-requests.ts';
import { writeResult } from './write-result.ts';

/**
 * Durable writes (`synchronous=FULL`) of devices: how many a second with group commit, against the same server with a transaction for
 * each, in one interleaved run. Wanted: three times as many.
 *
 *     node bench/server-writes.ts [--rounds 3] [--requests 8000] [--connections 64] [--write]
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    requests: { type: 'string', default: '8000' },
    connections: { type: 'string', default: '64' },
    write: { type: 'boolean', default: false },
  },
});
const before = machine();
const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-'));
const count = Number(values.requests);
const tenant = '000000000000000000000001';
const deploymentId = randomUUID();
const statuses = ['installing', 'rebooting', 'downloading'];

/** Every device is at it, so that each may report. */
function insertDeployment(devices: readonly FleetDevice[]): void {
  const sqlite = new DatabaseSync(databasePath(directory));
  const created = Date.now();
  const [all] = [sortedIds(devices.map(({ id }) => id))];
  sqlite.exec('BEGIN');
  sqlite
    .prepare(
      `INSERT INTO deployments (tenant, id, name, artifact_name, kind, created, status, active, max_devices, device_count, force_installation, target, group_names, total_size_bytes)
       VALUES (?, ?, 'bench', 'release-9', 'software', ?, 'inprogress', 1, ?, ?, 0, '{"kind":"devices","deviceIds":"listed"}', '[]', 0)`,
    )
    .run(tenant, deploymentId, created, all.length, all.length);
  const target = sqlite.prepare(
    'INSERT INTO deployment_targets (tenant, deployment_id, first_device_id, last_device_id, device_ids) VALUES (?, ?, ?, ?, ?)',
  );
  const part = sqlite.prepare(
    `INSERT INTO device_deployments (tenant, deployment_id, device_id, attempt, deployment_created, status, active, has_log) VALUES (?, ?, ?, 1, ?, 'downloading', 1, 0)`,
  );
  for (const { firstDeviceId, lastDeviceId, deviceIds } of targetChunks(all)) {
    target.run(tenant, deploymentId, firstDeviceId, lastDeviceId, deviceIds);
    for (const id of idsOfChunk(deviceIds)) part.run(tenant, deploymentId, id, created);
  }
  sqlite
    .prepare(
      `INSERT INTO deployment_statistics (tenant, deployment_id, status, devices) VALUES (?, ?, 'downloading', ?)`,
    )
    .run(tenant, deploymentId, all.length);
  sqlite.exec('COMMIT');
  sqlite.close();
}

try {
  const { devices } = await makeFleet(directory, { devices: 8000, finished: 10, active: 0, idle: 0 });
  insertDeployment(devices);
  let nonce = 0;
  const writes = {
    'inventory PATCH': (url: URL, { token }: FleetDevice) =>
      wireRequest(url, 'PATCH', '/api/devices/v1/inventory/device/attributes', {
        token,
        body: [
          { name: 'uptime', value: (nonce += 1) },
          { name: 'load', value: `${nonce}` },
        ],
      }),
    'status PUT': (url: URL, { token }: FleetDevice) =>
      wireRequest(url, 'PUT', `/api/devices/v1/deployments/device/deployments/${deploymentId}/status`, {
        token,
        body: { status: statuses[Math.floor((nonce += 1) / count) % statuses.length] },
      }),
  } as const;
  const rates = new Map<string, { perSecond: number; p99: number; cpu: number }[]>();
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const [name, request] of Object.entries(writes)) {
      for (const grouping of ['together', 'each'] as const) {
        const server = await startGrouping(grouping, directory);
        // Tokens proven, code compiled.
        await askAll(server.url, 16, 2000, (number) =>
          wireRequest(
            server.url,
            'GET',
            '/api/devices/v1/deployments/device/deployments/next?artifact_name=a&device_type=b',
            {
              token: devices[number % devices.length]?.token ?? '',
            },
          ),
        ).catch(() => undefined);
        // Each status differs from the one before.
        nonce = Math.ceil(nonce / count) * count;
        const cpu = server.cpuSeconds();
        const answers = await askAll(server.url, Number(values.connections), count, (number) => {
          const device = devices[number % devices.length];
          if (device === undefined) throw new Error('no device');
          return request(server.url, device);
        });
        const spent = ((server.cpuSeconds() - cpu) / count) * 1e6;
        await server.stop();
        const bad = [...answers.byStatus].filter(([status]) => status >= 300);
        if (bad.length > 0) throw new Error(`${name}: ${JSON.stringify(bad)}`);
        const key = `${name}|${grouping}`;
        const row = { perSecond: count / answers.seconds, p99: percentile(answers, 99), cpu: spent };
        rates.set(key, [...(rates.get(key) ?? []), row]);
        process.stdout.write(`${key.padEnd(28)} ${Math.round(row.perSecond)}/s\n`);
      }
    }
  }
  const of = (name: string, grouping: string, what: 'perSecond' | 'p99' | 'cpu') =>
    median((rates.get(`${name}|${grouping}`) ?? []).map((one) => one[what]));
  writeResult('server-writes', values.write, [
    `Durable writes of ${devices.length} devices over ${values.connections} connections, ${count} a run, ${values.rounds} interleaved rounds, medians; SQLite, synchronous=FULL; load and server on the same machine. ${before}.`,
    '',
    '| | group commit /s | one transaction each /s | ratio | p99 ms | p99 each ms | CPU µs | CPU each µs |',
    '|---|---|---|---|---|---|---|---|',
    ...Object.keys(writes).map(
      (name) =>
        `| ${name} | ${Math.round(of(name, 'together', 'perSecond'))} | ${Math.round(of(name, 'each', 'perSecond'))} | ${(of(name, 'together', 'perSecond') / of(name, 'each', 'perSecond')).toFixed(2)} | ${of(name, 'together', 'p99').toFixed(1)} | ${of(name, 'each', 'p99').toFixed(1)} | ${of(name, 'together', 'cpu').toFixed(0)} | ${of(name, 'each', 'cpu').toFixed(0)} |`,
    ),
  ]);
} finally {
  rmSync(directory, { recursive: true });
}
