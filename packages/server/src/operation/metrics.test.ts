import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCommandHere } from '../testing/command-here.ts';
import { startServerProcess, type ServerProcess } from '../testing/server-process.ts';
import { authRequest, authRequestsPath, ed25519Device } from '../testing/whole-server.ts';

let directory: string;
let server: ServerProcess;
let metricsUrl: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-metrics-'));
  await runCommandHere(
    ['user', 'create', '--data-dir', directory, '--email', 'admin@example.com', '--password-stdin'],
    'correct horse battery',
  );
  server = await startServerProcess(directory, ['--http', '--metrics-listen', '127.0.0.1:0']);
  metricsUrl = /^Metrics are at (\S+)$/m.exec(server.output())?.[1] ?? '';
});
after(async () => {
  await server.end('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

async function metrics(): Promise<Map<string, number>> {
  const response = await fetch(metricsUrl);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

async function knock(serial: number): Promise<void> {
  const { body, headers } = authRequest(ed25519Device({ serial }));
  const response = await fetch(`${server.url}${authRequestsPath}`, {
    method: 'POST',
    body: String(body),
    headers: headers ?? {},
  });
  assert.equal(response.status, 401);
}

describe('metrics', () => {
  it('count requests by endpoint and status, units of work and their commits, devices by status', async () => {
    await Promise.all([knock(1), knock(2), knock(3)]);
    await fetch(`${server.url}/api/devices/v1/deployments/device/deployments/next`);
    await fetch(`${server.url}/made/up/by/a/stranger`);
    const found = await metrics();
    const route = 'route="/api/devices/v1/authentication/auth_requests"';
    assert.equal(found.get(`tandem_http_requests_total{method="POST",${route},status="401"}`), 3);
    assert.equal(found.get(`tandem_http_request_duration_seconds_count{method="POST",${route}}`), 3);
    assert.equal(found.get('tandem_device_polls_total{answer="refused"}'), 1);
    assert.equal(found.get('tandem_devices{status="pending"}'), 3);
    assert.equal(found.get('tandem_devices{status="accepted"}'), 0);
    assert.equal(found.get('tandem_deployments{status="inprogress"}'), 0);
    assert.ok(Number(found.get('tandem_database_commit_units_sum')) >= 3);
    assert.ok(Number(found.get('tandem_database_commit_units_count')) >= 1);
    assert.equal(found.get('tandem_database_units_waiting'), 0);
    assert.ok(Number(found.get('tandem_database_unit_duration_seconds_count')) >= 3);
    assert.ok(found.has('nodejs_eventloop_lag_p99_seconds'));
    assert.ok(Number(found.get('process_resident_memory_bytes')) > 1e6);
    assert.equal(found.get('tandem_http_requests_total{method="GET",route="other",status="404"}'), 1);
    assert.ok(![...found.keys()].some((name) => name.includes('stranger')), 'nobody outside makes up names');
  });

  it('are counted once a minute, however often they are read', async () => {
    await metrics();
    await knock(4);
    assert.equal((await metrics()).get('tandem_devices{status="pending"}'), 3);
  });

  it('are served on their own address alone, and nothing else there', async () => {
    assert.equal((await fetch(`${server.url}/metrics`)).status, 404);
    assert.equal((await fetch(new URL('/health', metricsUrl))).status, 404);
    assert.equal((await fetch(metricsUrl, { method: 'DELETE' })).status, 405);
  });
});
