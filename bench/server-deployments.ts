import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { artifactForm, packArtifact } from '../packages/server/src/deployments/test-data/test-artifact.ts';
import { runServerCommand } from '../packages/server/src/testing/server-process.ts';
import { machine } from './artifact-measure.ts';
import { makeFleet } from './server-fleet.ts';
import { startTandem } from './server-process.ts';
import { askAtRate, percentile, statusesText, wireRequest, type Answers } from './server-requests.ts';
import { writeResult } from './write-result.ts';

/**
 * A deployment to a million devices: how long it takes to begin, to show and to abort, and how long devices wait for their polls
 * meanwhile.
 *
 *     node bench/server-deployments.ts [--devices 1000000] [--rate 200] [--write]
 */
const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '200' },
    write: { type: 'boolean', default: false },
  },
});
const before = machine();
const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-'));
const polling = 2000;
const user = { email: 'bench@example.com', password: 'correct horse battery' };
const management = '/api/management/v1/deployments';

try {
  const idle = Number(values.devices) - polling;
  const { devices } = await makeFleet(directory, {
    devices: polling,
    finished: 0,
    active: 0,
    idle,
    idleInventory: false,
  });
  await runServerCommand(
    ['user', 'create', '--data-dir', directory, '--email', user.email, '--password-stdin'],
    `${user.password}\n`,
  );
  const server = await startTandem(directory);
  const ask = async (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: FormData | string,
  ) => {
    const asked = performance.now();
    const answer = await fetch(new URL(path, server.url), {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return {
      text,
      location: answer.headers.get('location') ?? '',
      seconds: (performance.now() - asked) / 1000,
    };
  };
  const basic = `Basic ${Buffer.from(`${user.email}:${user.password}`).toString('base64')}`;
  const { text: token } = await ask('POST', '/api/management/v1/useradm/auth/login', {
    authorization: basic,
  });
  const own = { authorization: `Bearer ${token}` };
  const json = { ...own, 'content-type': 'application/json' };
  const artifact = await packArtifact({ name: 'release-9', deviceTypes: ['test'] });
  await ask('POST', `${management}/artifacts`, own, artifactForm(artifact));

  const rows: string[] = [];
  // Of a type that nothing fits: each device ends its part by the poll, which is the most a poll can cost.
  const poll = (number: number) =>
    wireRequest(
      server.url,
      'GET',
      '/api/devices/v1/deployments/device/deployments/next?artifact_name=release-1&device_type=other',
      { token: devices[number % devices.length]?.token ?? '' },
    );
  const whilePolled = async (
    name: string,
    work: () => Promise<{ readonly seconds: number }>,
  ): Promise<void> => {
    const load = { perSecond: Number(values.rate), seconds: 5, maxConnections: 50 };
    const answers: Answers[] = [];
    let isOver = false;
    const polls = (async () => {
      while (!isOver) answers.push(await askAtRate(server.url, { ...load, seconds: 1 }, poll));
    })();
    const { seconds } = await work();
    isOver = true;
    await polls;
    const latencies = Float64Array.from(answers.flatMap((one) => [...one.latencies])).sort();
    const byStatus = new Map<number, number>();
    for (const one of answers)
      for (const [status, count] of one.byStatus) byStatus.set(status, (byStatus.get(status) ?? 0) + count);
    const at = (percent: number) => percentile({ latencies }, percent).toFixed(1);
    rows.push(
      `| ${name} | ${seconds.toFixed(2)} | ${at(50)} | ${at(99)} | ${at(100)} | ${statusesText(byStatus)} |`,
    );
    process.stdout.write(`${rows.at(-1)}\n`);
  };
  const wanted = JSON.stringify({ name: 'all', artifact_name: 'release-9', all_devices: true });
  let id = '';
  await whilePolled('nothing', async () => {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    return { seconds: 3 };
  });
  await whilePolled('begin', async () => {
    const created = await ask('POST', `${management}/deployments`, json, wanted);
    id = created.location.split('/').at(-1) ?? '';
    return created;
  });
  await whilePolled('statistics', () => ask('GET', `${management}/deployments/${id}/statistics`, own));
  await whilePolled('a page of its devices', () =>
    ask('GET', `${management}/deployments/${id}/devices/list?per_page=100`, own),
  );
  await whilePolled('plan', () => ask('POST', `${management}/deployments/plan`, json, wanted));
  await whilePolled('abort', () =>
    ask('PUT', `${management}/deployments/${id}/status`, json, JSON.stringify({ status: 'aborted' })),
  );
  const peak = server.peakMiB();
  await server.stop();
  writeResult('server-deployments', values.write, [
    `A deployment to ${values.devices} accepted devices on SQLite while ${polling} of them poll, ${values.rate} polls a second; load and server on the same machine. ${before}.`,
    '',
    '| | s | poll p50 ms | p99 | max | answers |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    `Resident memory at most ${Math.round(peak)} MiB.`,
  ]);
} finally {
  rmSync(directory, { recursive: true });
}
