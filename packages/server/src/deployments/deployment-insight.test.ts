import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { DeploymentPlan } from '@tandem/api';
import { acceptedDevice, startWholeServer } from '../testing/whole-server.ts';
import { packArtifact, upload } from './test-data/test-artifact.ts';
import { startTestServer, type TestServer } from './test-data/test-server.ts';

const deployments = '/api/management/v1/deployments/deployments';
const next = '/api/devices/v1/deployments/device/deployments/next';

describe('the plan of a deployment', () => {
  let server: TestServer;
  let full: string;
  let delta: string;
  before(async () => {
    server = await startTestServer();
    full = await upload(server, { name: 'r2', deviceTypes: ['qemu'], content: Buffer.alloc(20_000) });
    delta = await upload(server, { name: 'r2', deviceTypes: ['qemu'], depends: { base: ['1'] } });
    server.known.accepted = ['delta', 'full', 'has', 'other', 'silent', 'unsaid'];
    server.known.groups = { full: 'lab', other: 'lab' };
    server.known.reported = {
      delta: { device_type: 'qemu', artifact_name: 'r1', base: '1' },
      full: { device_type: 'qemu', artifact_name: 'r1', base: '0' },
      has: { device_type: 'qemu', artifact_name: 'r2', base: '0' },
      other: { device_type: 'raspberry', artifact_name: 'r1' },
      unsaid: { artifact_name: 'r1' },
    };
  });
  after(() => server[Symbol.asyncDispose]());

  const plan = (json: object, query = '') =>
    server.request('POST', `${deployments}/plan${query}`, { as: 'user', json });

  it('says who gets which artifact, who has it, who cannot and why', async () => {
    const answer = await plan({ artifact_name: 'r2', all_devices: true });
    assert.equal(answer.status, 200, answer.bytes.toString());
    const planned = answer.json as DeploymentPlan;
    assert.deepEqual(planned.summary, {
      devices: 6,
      installs: { [delta]: 1, [full]: 1 },
      'already-installed': 1,
      noartifact: 1,
      unknown: 2,
    });
    const needs = { key: 'device_type', needs: ['qemu'], has: 'raspberry' };
    assert.deepEqual(planned.devices, [
      { id: 'delta', outcome: 'installs', certain: true, artifact_id: delta },
      { id: 'full', outcome: 'installs', certain: true, artifact_id: full },
      { id: 'has', outcome: 'already-installed', certain: true, artifact_id: full },
      {
        id: 'other',
        outcome: 'noartifact',
        certain: true,
        unmet: [full, delta].toSorted().map((artifact_id) => ({ artifact_id, ...needs })),
      },
      { id: 'silent', outcome: 'unknown', certain: false },
      { id: 'unsaid', outcome: 'unknown', certain: false },
    ]);
  });

  it('holds when the devices ask, and begins nothing itself', async () => {
    assert.equal((await server.request('GET', deployments, { as: 'user' })).bytes.toString(), '[]');
    await server.request('POST', deployments, {
      as: 'user',
      json: { name: 'n', artifact_name: 'r2', devices: ['delta', 'full', 'has', 'other'] },
    });
    for (const [id, artifact] of [
      ['delta', delta],
      ['full', full],
      ['has', undefined],
      ['other', undefined],
    ] as const) {
      const json = { device_provides: server.known.reported[id] };
      const answer = await server.request('POST', next.replace('v1', 'v2'), { as: `device:${id}`, json });
      assert.equal((answer.json as { artifact?: { id: string } } | undefined)?.artifact?.id, artifact, id);
    }
  });

  it('installs again what is there, when it is forced', async () => {
    const { json } = await plan({ artifact_name: 'r2', devices: ['has'], force_installation: true });
    assert.deepEqual((json as DeploymentPlan).devices, [
      { id: 'has', outcome: 'installs', certain: true, artifact_id: full },
    ]);
  });

  it('is for a group, and by pages', async () => {
    const { json, headers } = await plan({ artifact_name: 'r2', group: 'lab' }, '?per_page=1&page=2');
    assert.equal((json as DeploymentPlan).devices_targeted, 2);
    assert.deepEqual(
      (json as DeploymentPlan).devices.map(({ id }) => id),
      ['other'],
    );
    assert.equal(headers.get('x-total-count'), '2');
  });

  it('refuses what could not be deployed either', async () => {
    assert.equal((await plan({ artifact_name: 'none', all_devices: true })).status, 422);
    assert.equal((await plan({ artifact_name: 'r2' })).status, 400);
    assert.equal((await plan({ artifact_name: 'r2', group: 'empty' })).status, 400);
    assert.equal((await plan({ artifact_name: 'r2', group: 'lab', all_devices: true })).status, 400);
  });
});

describe('the plan by a real inventory', () => {
  it('takes what the device has reported', async () => {
    await using server = await startWholeServer();
    const { id, token } = await acceptedDevice(server, { sn: '1' });
    await server.request('PATCH', '/api/devices/v1/inventory/device/attributes', {
      token,
      body: [
        { name: 'device_type', value: 'qemu' },
        { name: 'artifact_name', value: 'r1' },
      ],
    });
    const artifact = (file: Buffer) => ({
      token: server.token,
      body: file,
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
    });
    const form = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="artifact"; filename="a"\r\n\r\n'),
      await packArtifact({ name: 'r2', deviceTypes: ['qemu'] }),
      Buffer.from('\r\n--b--\r\n'),
    ]);
    const uploaded = await server.request('POST', '/api/management/v1/deployments/artifacts', artifact(form));
    assert.equal(uploaded.status, 201, uploaded.text);
    const { json } = await server.request('POST', `${deployments}/plan`, {
      token: server.token,
      body: { artifact_name: 'r2', all_devices: true },
    });
    const artifact_id = String(uploaded.headers['location']).split('/').at(-1);
    assert.deepEqual((json as DeploymentPlan).devices, [
      { id, outcome: 'installs', certain: true, artifact_id },
    ]);
  });
});

describe('the timeline of a device in a deployment', () => {
  it('has a row for each change of status, and no more than a hundred', async () => {
    await using server = await startTestServer();
    await upload(server, { name: 'r', deviceTypes: ['t'] });
    const made = await server.request('POST', deployments, {
      as: 'user',
      json: { name: 'n', artifact_name: 'r', devices: ['d'] },
    });
    const id = made.headers.get('location')?.split('/').at(-1) ?? '';
    const timeline = async () =>
      server.request('GET', `${deployments}/${id}/devices/d/timeline`, { as: 'user' });
    assert.equal((await timeline()).status, 404);

    await server.request('GET', `${next}?artifact_name=old&device_type=t`, { as: 'device:d' });
    const report = async (status: string, substate?: string) => {
      const path = `${next.replace(/next$/, id)}/status`;
      const answer = await server.request('PUT', path, { as: 'device:d', json: { status, substate } });
      assert.equal(answer.status, 204);
      server.time.offsetMs += 1000;
    };
    await report('downloading');
    await report('downloading', 'said twice');
    await report('installing', 'half');
    await report('success');
    const rows = (await timeline()).json as {
      status: string;
      substate?: string;
      time: string;
      attempt: number;
    }[];
    assert.deepEqual(
      rows.map(({ attempt, status, substate }) => [attempt, status, substate]),
      [
        [1, 'pending', undefined],
        [1, 'downloading', undefined],
        [1, 'installing', 'half'],
        [1, 'success', undefined],
      ],
    );
    assert.ok(rows.every(({ time }, index) => index === 0 || time >= (rows[index - 1]?.time ?? '')));

    for (let turn = 0; turn < 60; turn += 1) {
      await report('failure');
      await report('success');
    }
    const all = (await timeline()).json as { status: string }[];
    assert.equal(all.length, 100);
    assert.deepEqual(
      all.slice(-2).map(({ status }) => status),
      ['failure', 'success'],
    );
    assert.equal(
      (
        await server.request('GET', `${deployments}/${id}/devices/d/timeline`, {
          as: 'user@000000000000000000000009',
        })
      ).status,
      404,
    );
  });
});

describe('the failures of a deployment', () => {
  it('are counted by the first error each device logged, with one device of each', async () => {
    await using server = await startTestServer();
    await upload(server, { name: 'r2', deviceTypes: ['qemu'] });
    const devices = ['a', 'b', 'c', 'd', 'e'];
    server.known.accepted = devices;
    await server.request('POST', deployments, {
      as: 'user',
      json: { name: 'n', artifact_name: 'r2', devices },
    });
    const [made] = (await server.request('GET', deployments, { as: 'user' })).json as { id: string }[];
    const id = made?.id ?? '';
    const own = '/api/devices/v1/deployments/device/deployments';
    const logs: Readonly<Record<string, string>> = { a: 'no space', b: 'bad checksum', c: 'no space' };
    for (const device of devices) {
      const json = { device_provides: { device_type: 'qemu', artifact_name: 'r1' } };
      await server.request('POST', next.replace('v1', 'v2'), { as: `device:${device}`, json });
      if (device === 'e') continue;
      await server.request('PUT', `${own}/${id}/status`, {
        as: `device:${device}`,
        json: { status: 'failure' },
      });
      if (logs[device] === undefined) continue;
      const messages = ['begin', logs[device]].map((message, n) => ({
        timestamp: '2026-01-01T00:00:00Z',
        level: n === 0 ? 'info' : 'error',
        message,
      }));
      await server.request('PUT', `${own}/${id}/log`, { as: `device:${device}`, json: { messages } });
    }
    const { json, bytes } = await server.request('GET', `${deployments}/${id}/failures`, { as: 'user' });
    assert.ok(Array.isArray(json), bytes.toString());
    assert.deepEqual(
      (json as { cause: string | null }[]).toSorted((one, other) =>
        String(one.cause) < String(other.cause) ? -1 : 1,
      ),
      [
        { cause: 'bad checksum', devices: 1, device_id: 'b' },
        { cause: 'no space', devices: 2, device_id: 'a' },
        { cause: null, devices: 1, device_id: 'd' },
      ],
    );
    assert.equal((json as { devices: number }[])[0]?.devices, 2, 'the most frequent first');
    assert.equal((await server.request('GET', `${deployments}/x/failures`, { as: 'user' })).status, 400);
  });
});
