import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  applied,
  countsOf,
  reportable,
  statusOf,
  type Command,
  type Model,
} from './test-data/deployment-model.ts';
import { upload } from './test-data/test-artifact.ts';
import { startTestServer, type TestServer } from './test-data/test-server.ts';

const management = '/api/management/v1/deployments/deployments';
const device = '/api/devices/v1/deployments/device/deployments';
const devices = 4;
const seed = Number(process.env['TANDEM_SEED'] ?? Date.now() % 2 ** 31);
const runs = Number(process.env['TANDEM_RUNS'] ?? 25);

const oneDevice = fc.nat(devices - 1);
const oneDeployment = fc.nat(2);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      targets: fc.uniqueArray(oneDevice, { minLength: 1 }),
    }),
  },
  {
    weight: 6,
    // Mostly the same, so that it is not taken for another device.
    arbitrary: fc.record({
      kind: fc.constant('poll' as const),
      device: oneDevice,
      runs: fc.constantFrom('old', 'old', 'old', 'r'),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('report' as const),
      device: oneDevice,
      deployment: oneDeployment,
      status: fc.constantFrom(...reportable),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), deployment: oneDeployment }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abortDevice' as const), device: oneDevice }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), device: oneDevice }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('decommission' as const), device: oneDevice }) },
);

test('whatever devices and users do, one by one or at once, answers and counters are those of some order of it', async (t) => {
  t.diagnostic(`seed ${seed}: TANDEM_SEED=${seed} repeats it`);
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  let run = 0;
  await fc.assert(
    // What is in one batch happens at once.
    fc.asyncProperty(
      fc.array(fc.array(command, { minLength: 1, maxLength: 3 }), { minLength: 5, maxLength: 12 }),
      async (batches) => {
        const world = { server, prefix: `run-${(run += 1)}`, ids: [] as string[] };
        let models: readonly Model[] = [{ deployments: [] }];
        for (const batch of batches) {
          // Which of two is the first deployment would be left open, and one that is not there has no id to be asked for.
          const commands = batch.filter(
            (one, at) =>
              (one.kind !== 'create' || (at === 0 && world.ids.length < 3)) &&
              (!('deployment' in one) || one.deployment < world.ids.length),
          );
          const answers = await Promise.all(commands.map((one) => ask(world, one)));
          const seen = await Promise.all(world.ids.map((id) => shown(server, id)));
          const explained = models
            .flatMap((model) => outcomes(model, commands, answers))
            .filter(({ deployments }) => JSON.stringify(deployments.map(summary)) === JSON.stringify(seen));
          assert.ok(
            explained.length > 0,
            `no order of ${JSON.stringify(commands)} answers ${answers.join()} and leaves\n${JSON.stringify(seen)}\nout of\n${JSON.stringify(models)}`,
          );
          models = distinct(explained);
        }
      },
    ),
    { seed, numRuns: runs, endOnFailure: true },
  );
});

/** What the model says after each order of the commands in which it gives those answers. */
function outcomes(model: Model, commands: readonly Command[], answers: readonly number[]): Model[] {
  if (commands.length === 0) return [model];
  return commands.flatMap((one, at) => {
    const next = applied(model, one);
    if (next.status !== answers[at]) return [];
    return outcomes(next.model, commands.toSpliced(at, 1), answers.toSpliced(at, 1));
  });
}

const distinct = (models: readonly Model[]): Model[] => [
  ...new Map(models.map((model) => [JSON.stringify(model), model])).values(),
];

const summary = (deployment: Model['deployments'][number]) => ({
  status: statusOf(deployment),
  counts: byName(Object.entries(countsOf(deployment))),
  devices: new Set(deployment.parts.map((part) => part.device)).size,
});

const byName = (counts: readonly (readonly [string, number])[]): Record<string, number> =>
  Object.fromEntries(counts.toSorted(([a], [b]) => (a < b ? -1 : 1)));

async function shown(server: TestServer, id: string) {
  const { json } = await server.request('GET', `${management}/${id}`, { as: 'user' });
  const { status, device_count, statistics } = json as {
    status: string;
    device_count: number;
    statistics: { status: Record<string, number> };
  };
  const counts = Object.entries(statistics.status).filter(([, count]) => count !== 0);
  return { status, counts: byName(counts), devices: device_count };
}

interface World {
  readonly server: TestServer;
  readonly prefix: string;
  readonly ids: string[];
}

async function ask({ server, prefix, ids }: World, one: Command): Promise<number> {
  const name = (number: number) => `${prefix}-device-${number}`;
  switch (one.kind) {
    case 'create': {
      const wanted = { name: `${prefix}-${ids.length}`, artifact_name: 'r', devices: one.targets.map(name) };
      const answer = await server.request('POST', management, { as: 'user', json: wanted });
      ids.push(String(answer.headers.get('location')).split('/').at(-1) ?? '');
      return answer.status;
    }
    case 'poll': {
      const path = `${device}/next?artifact_name=${one.runs}&device_type=test`;
      return (await server.request('GET', path, { as: `device:${name(one.device)}` })).status;
    }
    case 'report': {
      const path = `${device}/${ids[one.deployment]}/status`;
      const given = { as: `device:${name(one.device)}`, json: { status: one.status } };
      return (await server.request('PUT', path, given)).status;
    }
    case 'abort': {
      const path = `${management}/${ids[one.deployment]}/status`;
      return (await server.request('PUT', path, { as: 'user', json: { status: 'aborted' } })).status;
    }
    case 'abortDevice':
      return (await server.request('DELETE', `${management}/devices/${name(one.device)}`, { as: 'user' }))
        .status;
    case 'forget':
      return (
        await server.request('DELETE', `${management}/devices/${name(one.device)}/history`, { as: 'user' })
      ).status;
    case 'decommission':
      await server.decommission(name(one.device));
      return 204;
  }
}
