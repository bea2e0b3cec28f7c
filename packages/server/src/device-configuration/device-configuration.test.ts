import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { nodeDecompressors, readArtifact } from '@tandem/artifact';
import { defaultTenant } from '../actor.ts';
import { configurationLinks } from '../http/configuration-link.ts';
import {
  acceptedDevice,
  authRequest,
  authRequestsPath,
  ed25519Device,
  findDevice,
  startWholeServer,
  type WholeServer,
} from '../testing/whole-server.ts';

const own = '/api/devices/v1/deviceconfig/configuration';
const of = (id: string) => `/api/management/v1/deviceconfig/configurations/device/${id}`;
const next = '/api/devices/v1/deployments/device/deployments/next?artifact_name=a&device_type=qemu%2Fx86';
const deployments = '/api/management/v1/deployments/deployments';

describe('device configuration', () => {
  let server: WholeServer;
  before(async () => {
    server = await startWholeServer();
  });
  after(() => server[Symbol.asyncDispose]());

  const asUser = (method: string, path: string, body?: unknown) =>
    server.request(method, path, { token: server.token, body });

  it('is there, empty, once the device is accepted', async () => {
    const device = ed25519Device({ sn: 'new' });
    await server.request('POST', authRequestsPath, authRequest(device));
    const { id } = await findDevice(server, device.idData);
    assert.equal((await asUser('GET', of(id))).status, 404);
    assert.equal((await asUser('POST', `${of(id)}/deploy`, {})).status, 404);

    const { token } = await acceptedDevice(server, { sn: 'new' }, device);
    const { status, json } = await server.request('GET', own, { token });
    assert.deepEqual([status, json], [200, {}]);
    const shown = (await asUser('GET', of(id))).json as Record<string, unknown>;
    assert.deepEqual(
      { ...shown, updated_ts: undefined },
      { id, configured: {}, reported: {}, updated_ts: undefined },
    );
  });

  it('is what users want of the device on one side, and what it reports on the other', async () => {
    const { id, token } = await acceptedDevice(server, { sn: 'two-sides' });
    assert.equal((await asUser('PUT', of(id), { timezone: 'UTC', __proto__x: '' })).status, 204);
    assert.deepEqual((await server.request('GET', own, { token })).json, { timezone: 'UTC', __proto__x: '' });
    // The script of the device names no content type that we would ask for.
    const reported = { token, body: '{"timezone":"CET"}', headers: { 'content-type': 'text/plain' } };
    assert.equal((await server.request('PUT', own, reported)).status, 204);
    const shown = (await asUser('GET', of(id))).json as Record<string, unknown>;
    assert.deepEqual(shown['configured'], { timezone: 'UTC', __proto__x: '' });
    assert.deepEqual(shown['reported'], { timezone: 'CET' });
    assert.equal(typeof shown['reported_ts'], 'string');

    assert.equal((await asUser('PUT', of(id), { other: '1' })).status, 204, 'replaces all of it');
    assert.deepEqual((await server.request('GET', own, { token })).json, { other: '1' });
  });

  it('refuses what is no configuration, in the words clients know', async () => {
    const { id, token } = await acceptedDevice(server, { sn: 'refused' });
    const tooMany = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`k${index}`, '']));
    const bad: readonly [unknown, RegExp][] = [
      [{ a: 1 }, /^invalid request body: value: invalid type: float64\.$/],
      [{ a: { b: 'c' } }, /invalid type: map\[string\]interface \{\}/],
      [{ '': 'x' }, /key: the length/],
      [{ a: 'x'.repeat(4097) }, /value: the length/],
      [{ ['k'.repeat(4097)]: '' }, /key: the length/],
      [[], /give an object/],
      [null, /give an object/],
      ['{', /malformed/],
      ['', /give an object/],
      [tooMany, /maximum is 100/],
    ];
    for (const [body, words] of bad) {
      const user = await asUser('PUT', of(id), body);
      const device = await server.request('PUT', own, { token, body });
      assert.deepEqual([user.status, device.status], [400, 400], JSON.stringify(body));
      assert.match((user.json as { error: string }).error, words);
    }
    assert.deepEqual((await server.request('GET', own, { token })).json, {});
  });

  it('comes to the device as an artifact that its update module takes', async () => {
    const { id, token } = await acceptedDevice(server, { sn: 'deployed' });
    await asUser('PUT', of(id), { password: 'secret', tz: 'UTC' });
    const deployed = await asUser('POST', `${of(id)}/deploy`, { retries: 0 });
    assert.equal(deployed.status, 200);
    const { deployment_id: deploymentId } = deployed.json as { deployment_id: string };
    assert.equal(
      ((await asUser('GET', of(id))).json as { deployment_id: string }).deployment_id,
      deploymentId,
    );

    const shown = (await asUser('GET', `${deployments}/${deploymentId}`)).json as Record<string, unknown>;
    assert.deepEqual(
      [shown['type'], shown['name'], shown['artifact_name'], shown['max_devices'], shown['status']],
      ['configuration', `configuration-${deploymentId}`, `configuration-${deploymentId}`, 1, 'pending'],
    );
    assert.deepEqual(JSON.parse(Buffer.from(String(shown['configuration']), 'base64').toString()), {
      password: 'sec...<omitted>',
      tz: 'UTC',
    });

    // Changed meanwhile: what was deployed stays what it was.
    await asUser('PUT', of(id), { tz: 'CET' });
    const offered = await server.request('GET', next, { token });
    assert.equal(offered.status, 200);
    const { id: offeredId, artifact } = offered.json as {
      id: string;
      artifact: {
        id: string;
        artifact_name: string;
        source: { uri: string };
        device_types_compatible: string[];
      };
    };
    assert.deepEqual(
      [offeredId, artifact.id, artifact.artifact_name, artifact.device_types_compatible],
      [deploymentId, `${deploymentId}${id}`, `configuration-${deploymentId}`, ['qemu/x86']],
    );
    const again = (await server.request('GET', next, { token })).json as { id: string };
    assert.equal(again.id, deploymentId, 'offered again while it is not ended');

    const link = artifact.source.uri.replace('https://tandem.example', '');
    const { rawPayload, headers } = await server.server.http.inject({ method: 'GET', url: link });
    assert.equal(headers['content-type'], 'application/vnd.mender-artifact');
    assert.equal(Number(headers['content-length']), rawPayload.length);
    const head = await server.server.http.inject({ method: 'HEAD', url: link });
    assert.deepEqual([head.statusCode, head.headers['content-length']], [200, String(rawPayload.length)]);
    const read = await readArtifact(
      (async function* () {
        yield rawPayload;
      })(),
      { decompressors: nodeDecompressors },
    );
    const [payload] = read.payloads;
    for await (const file of read.files()) assert.fail(`a file: ${file.name}`);
    assert.deepEqual(
      {
        name: read.headerInfo.artifactName,
        types: read.headerInfo.depends.deviceTypes,
        type: payload?.type,
        metaData: payload?.metaData,
        provides: payload?.provides,
        clears: payload?.clearsProvides,
      },
      {
        name: `configuration-${deploymentId}`,
        types: ['qemu/x86'],
        type: 'mender-configure',
        metaData: { password: 'secret', tz: 'UTC' },
        provides: { 'data-partition.mender-configure.version': `configuration-${deploymentId}` },
        clears: ['data-partition.mender-configure.*'],
      },
    );

    const status = `/api/devices/v1/deployments/device/deployments/${deploymentId}/status`;
    assert.equal((await server.request('PUT', status, { token, body: { status: 'success' } })).status, 204);
    const after = (await asUser('GET', `${deployments}/${deploymentId}`)).json as { status: string };
    assert.equal(after.status, 'finished');
    assert.equal((await server.request('GET', next, { token })).status, 204);
    const list = (await asUser('GET', `${deployments}?type=configuration`)).json as { id: string }[];
    assert.deepEqual(
      list.map((one) => one.id),
      [deploymentId],
    );
  });

  it('is not deployed to a device that already reports its name', async () => {
    const { id, token } = await acceptedDevice(server, { sn: 'installed' });
    const deployed = (await asUser('POST', `${of(id)}/deploy`, {})).json as { deployment_id: string };
    const name = `configuration-${deployed.deployment_id}`;
    const asked = `/api/devices/v1/deployments/device/deployments/next?artifact_name=${name}&device_type=x`;
    assert.equal((await server.request('GET', asked, { token })).status, 204);
    const { json } = await asUser('GET', `${deployments}/${deployed.deployment_id}/statistics`);
    assert.equal((json as Record<string, number>)['already-installed'], 1);
  });

  it('refuses to deploy what it cannot', async () => {
    const { id } = await acceptedDevice(server, { sn: 'cannot' });
    const statuses = async (body: unknown, device = id) =>
      (await asUser('POST', `${of(device)}/deploy`, body)).status;
    assert.equal(await statuses({ update_control_map: {} }), 403);
    assert.equal(await statuses({ retries: 'many' }), 400);
    assert.equal(await statuses(''), 400);
    assert.equal(await statuses({}, 'nobody'), 404);
  });

  it('is downloaded by our own, unexpired link alone', async () => {
    const { id, token } = await acceptedDevice(server, { sn: 'links' });
    await asUser('POST', `${of(id)}/deploy`, {});
    const { json } = await server.request('GET', next, { token });
    const { uri } = (json as { artifact: { source: { uri: string } } }).artifact.source;
    const path = uri.replace('https://tandem.example', '');
    const get = async (url: string) => (await server.request('GET', url)).status;
    assert.equal(await get(path), 200);
    assert.equal(await get(path.split('?', 1)[0] ?? ''), 400);
    assert.equal(await get(path.replace('qemu', 'qemy')), 403);
    assert.equal(await get(path.replace(/tenant_id=0*1/, 'tenant_id=000000000000000000000002')), 403);
    const links = configurationLinks(() => '', Buffer.alloc(32, 7), Date.now);
    const claims = { tenant: defaultTenant, deploymentId: 'unknown', deviceType: 'x', deviceId: id };
    assert.equal(await get(links.link(claims).uri), 404);
    server.time.offsetMs += 901_000;
    assert.equal(await get(path), 403);
    server.time.offsetMs = 0;
  });

  it('is forgotten with its device', async () => {
    const { id } = await acceptedDevice(server, { sn: 'gone' });
    assert.equal((await asUser('GET', of(id))).status, 200);
    await asUser('DELETE', `/api/management/v2/devauth/devices/${id}`);
    assert.equal((await asUser('GET', of(id))).status, 404);
  });
});
