import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upload } from '../deployments/test-data/test-artifact.ts';
import { startTestServer, type TestServer } from '../deployments/test-data/test-server.ts';

const artifacts = '/api/management/v1/deployments/artifacts';
const v2artifacts = '/api/management/v2/deployments/artifacts';
const v1 = '/api/management/v1/deployments/deployments/releases';
const v2 = '/api/management/v2/deployments/deployments/releases';
const software = '/api/management/v1alpha1/deployments/software';
const unknownId = '0c13a0e6-6b63-475d-8260-ee42a590e8ff';

const errorOf = (answer: { json: unknown }): string => String((answer.json as { error?: unknown }).error);
const get = (server: TestServer, path: string) => server.request('GET', path, { as: 'user' });

async function names(server: TestServer, path: string): Promise<string[]> {
  const answer = await get(server, path);
  assert.equal(answer.status, 200, `${path} ${answer.bytes.toString()}`);
  return (answer.json as { name?: string; Name?: string }[]).map((one) => one.name ?? one.Name ?? '');
}

async function stocked() {
  const server = await startTestServer();
  await upload(server, { name: 'alpha-1', deviceTypes: ['pi4'] });
  await upload(server, { name: 'alpha-2', deviceTypes: ['pi4', 'pi5'], payloadType: 'docker' });
  await upload(server, { name: 'alpha-2', deviceTypes: ['beagle'] });
  await upload(server, { name: 'Beta%*', deviceTypes: ['qemu'], payloadType: 'single-file' });
  await upload(server, { name: 'system', deviceTypes: ['pi4'], payloadType: 'mender-orchestrator-manifest' });
  return server;
}

test('artifacts are found by part of the name, description or device type, whatever its case', async () => {
  await using server = await stocked();
  assert.deepEqual(await names(server, artifacts), ['Beta%*', 'alpha-1', 'alpha-2', 'alpha-2', 'system']);
  assert.deepEqual(await names(server, `${artifacts}?name=BETA%25`), ['Beta%*']);
  assert.deepEqual(await names(server, `${artifacts}?name=a_pha`), []);
  assert.deepEqual(await names(server, `${artifacts}?device_type=I5`), ['alpha-2']);
  const id = ((await get(server, `${artifacts}?name=alpha-1`)).json as { id: string }[])[0]?.id ?? '';
  const put = await server.request('PUT', `${artifacts}/${id}`, {
    as: 'user',
    json: { description: 'The Stable one' },
  });
  assert.equal(put.status, 204);
  assert.deepEqual(await names(server, `${artifacts}?description=stable`), ['alpha-1']);
});

test('artifacts come by pages; bad paging is forgiven in version 1, refused in version 2', async () => {
  await using server = await stocked();
  const page = await get(server, `${artifacts}/list?per_page=2&page=2&sort=name:desc`);
  assert.equal(page.headers.get('x-total-count'), '5');
  assert.match(page.headers.get('link') ?? '', /rel="prev".*rel="next".*rel="last"/);
  assert.deepEqual(
    (page.json as { name: string }[]).map(({ name }) => name),
    ['alpha-2', 'alpha-1'],
  );
  assert.equal((await names(server, `${artifacts}/list?per_page=x&page=-3&sort=nonsense`)).length, 5);

  assert.deepEqual(await names(server, `${v2artifacts}?name=alpha-1&name=alpha-2&per_page=500`), [
    'alpha-1',
    'alpha-2',
    'alpha-2',
  ]);
  assert.deepEqual(await names(server, `${v2artifacts}?name=alpha*`), ['alpha-1', 'alpha-2', 'alpha-2']);
  assert.deepEqual(await names(server, `${v2artifacts}?name=ALPHA*`), []);
  assert.deepEqual(await names(server, `${v2artifacts}?name=Beta%25%5C*`), ['Beta%*']);
  assert.deepEqual(await names(server, `${v2artifacts}?device_type=pi*`), ['alpha-1', 'alpha-2', 'system']);
  const first = await get(server, `${v2artifacts}?per_page=2`);
  assert.equal(first.headers.get('x-total-count'), null);
  assert.match(first.headers.get('link') ?? '', /rel="next"/);
  assert.doesNotMatch(first.headers.get('link') ?? '', /rel="last"/);
  assert.match(errorOf(await get(server, `${v2artifacts}?per_page=501`)), /^invalid filter: /);
  for (const query of ['name=alpha*&name=beta', 'name=al*ha', 'per_page=501', 'page=0']) {
    assert.equal((await get(server, `${v2artifacts}?${query}`)).status, 400, query);
  }
});

test('a description can be changed until the artifact has been deployed', async () => {
  await using server = await startTestServer();
  const id = await upload(server, { name: 'r' });
  const put = (target: string, json: unknown) =>
    server.request('PUT', `${artifacts}/${target}`, { as: 'user', json });
  assert.equal((await put(id, { description: 'x'.repeat(4097) })).status, 400);
  assert.equal((await put(unknownId, { description: 'x' })).status, 404);
  assert.equal((await put('nonsense', { description: 'x' })).status, 400);
  const deployments = '/api/management/v1/deployments/deployments';
  await server.request('POST', deployments, {
    as: 'user',
    json: { name: 'n', artifact_name: 'r', devices: ['d'] },
  });
  const refused = await put(id, { description: 'x' });
  assert.equal(refused.status, 422);
  assert.equal(errorOf(refused), 'Image has already been used in deployment');
});

test('an artifact is deleted with its bytes unless a deployment is active, and the last takes its release along', async () => {
  await using server = await startTestServer();
  const id = await upload(server, { name: 'r' });
  const remove = (target: string) => server.request('DELETE', `${artifacts}/${target}`, { as: 'user' });
  const deployments = '/api/management/v1/deployments/deployments';
  const made = await server.request('POST', deployments, {
    as: 'user',
    json: { name: 'n', artifact_name: 'r', devices: ['d'] },
  });
  const refused = await remove(id);
  assert.equal(refused.status, 409);
  assert.equal(errorOf(refused), 'Artifact is used in active deployment');
  const bulk = await server.request('DELETE', `${v2}?name=r&name=other`, { as: 'user' });
  assert.equal(bulk.status, 409);
  assert.equal(errorOf(bulk), 'release(s) used in active deployment');
  assert.deepEqual((bulk.json as { active_deployments: string[] }).active_deployments, [
    made.headers.get('location')?.split('/').at(-1),
  ]);

  const next = '/api/devices/v1/deployments/device/deployments/next?artifact_name=old&device_type=test';
  await server.request('GET', next, { as: 'device:d' });
  await server.request('PUT', `${made.headers.get('location')}/status`, {
    as: 'user',
    json: { status: 'aborted' },
  });
  assert.equal((await remove(id)).status, 204);
  assert.deepEqual(await server.storedFiles(), []);
  assert.equal((await remove(id)).status, 404);
  assert.equal(errorOf(await remove(unknownId)), 'Resource not found');
  assert.equal((await get(server, `${v2}/r`)).status, 404);
  assert.equal((await get(server, `${artifacts}/${id}/download`)).status, 404);

  const history = (await get(server, '/api/management/v1/deployments/deployments/devices/d')).json as {
    device: { image?: { name: string } };
  }[];
  assert.equal(history[0]?.device.image?.name, 'r', 'the history still says what was installed');
  await upload(server, { name: 'r' });
});

test('releases are all artifacts of one name, in both versions of the API', async () => {
  await using server = await stocked();
  const first = (await get(server, v1)).json as Record<string, unknown>[];
  assert.deepEqual(Object.keys(first[0] ?? {}).toSorted(), [
    'Artifacts',
    'ArtifactsCount',
    'Modified',
    'Name',
    'notes',
    'tags',
  ]);
  assert.deepEqual(await names(server, v1), ['Beta%*', 'alpha-1', 'alpha-2']);
  assert.deepEqual(await names(server, `${v1}?device_type=pi5`), ['alpha-2']);
  assert.deepEqual(await names(server, `${v1}?device_type=pi`), []);
  assert.deepEqual(await names(server, `${v1}?update_type=docker`), ['alpha-2']);
  const page = await get(server, `${v1}/list?per_page=1&sort=artifacts_count:desc`);
  assert.equal(page.headers.get('x-total-count'), '3');
  assert.equal((page.json as { Name: string; ArtifactsCount: number }[])[0]?.Name, 'alpha-2');
  assert.equal((page.json as { ArtifactsCount: number }[])[0]?.ArtifactsCount, 2);

  assert.deepEqual(await names(server, `${v2}?name=ALPHA&sort=name:desc`), ['alpha-2', 'alpha-1']);
  assert.deepEqual(await names(server, `${v2}?update_type=single-file`), ['Beta%*']);
  const one = (await get(server, `${v2}/${encodeURIComponent('Beta%*')}`)).json as Record<string, unknown>;
  assert.deepEqual(Object.keys(one).toSorted(), [
    'artifacts',
    'artifacts_count',
    'modified',
    'name',
    'notes',
    'tags',
  ]);
  assert.equal((await get(server, `${v2}/system`)).status, 404, 'a manifest is no release');
  assert.equal(errorOf(await get(server, `${v2}/absent`)), 'release not found');
});

test('notes and tags are kept within their bounds', async () => {
  await using server = await stocked();
  const patch = (name: string, json: unknown) =>
    server.request('PATCH', `${v2}/${name}`, { as: 'user', json });
  const tag = (name: string, json: unknown) =>
    server.request('PUT', `${v2}/${name}/tags`, { as: 'user', json });
  assert.equal((await patch('alpha-1', { notes: 'fixes the clock' })).status, 204);
  for (const notes of ['x'.repeat(1025), 'two\nlines', '\nfirst']) {
    const refused = await patch('alpha-1', { notes });
    assert.equal(refused.status, 400);
    assert.match(errorOf(refused), /^invalid request body: /);
  }
  assert.equal((await patch('absent', { notes: 'x' })).status, 404);

  assert.equal((await tag('alpha-1', ['Stable', 'stable', 'a_b.c-1'])).status, 204);
  const shown = (await get(server, `${v2}/alpha-1`)).json as { tags: string[]; notes: string };
  assert.deepEqual(shown.tags, ['a_b.c-1', 'stable']);
  assert.equal(shown.notes, 'fixes the clock');
  for (const tags of [
    ['with space'],
    [''],
    ['x'.repeat(1025)],
    Array.from({ length: 21 }, (_, n) => `t${n}`),
    'stable',
  ]) {
    assert.equal((await tag('alpha-1', tags)).status, 400, JSON.stringify(tags).slice(0, 40));
  }
  assert.equal((await tag('absent', ['x'])).status, 404);
  await tag('alpha-2', ['beta']);
  await tag('system', ['whole']);
  assert.deepEqual(await names(server, `${v2}?tag=STABLE&tag=beta`), ['alpha-1', 'alpha-2']);
  assert.deepEqual((await get(server, '/api/management/v2/deployments/releases/all/tags')).json, [
    'a_b.c-1',
    'beta',
    'stable',
  ]);
  assert.deepEqual((await get(server, `${software}/tags?kind=manifest`)).json, ['whole']);
  assert.deepEqual((await get(server, `${software}/tags`)).json, ['a_b.c-1', 'beta', 'stable', 'whole']);
  assert.deepEqual((await get(server, '/api/management/v2/deployments/releases/all/types')).json, [
    'docker',
    'mender-orchestrator-manifest',
    'rootfs-image',
    'single-file',
  ]);
});

test('no more than a hundred different tags together', async () => {
  await using server = await startTestServer();
  const tags = (from: number, count: number) => Array.from({ length: count }, (_, n) => `t${from + n}`);
  for (let release = 0; release < 6; release += 1) await upload(server, { name: `r${release}` });
  for (let release = 0; release < 5; release += 1) {
    const answer = await server.request('PUT', `${v2}/r${release}/tags`, {
      as: 'user',
      json: tags(release * 20, 20),
    });
    assert.equal(answer.status, 204);
  }
  const tag = (list: string[]) => server.request('PUT', `${v2}/r5/tags`, { as: 'user', json: list });
  assert.equal((await tag(['t1', 'new'])).status, 409);
  assert.deepEqual(((await get(server, `${v2}/r5`)).json as { tags: string[] }).tags, []);
  assert.equal((await tag(['t1', 't99'])).status, 204);
});

test('releases are deleted together, with all that belongs to them', async () => {
  await using server = await stocked();
  assert.equal((await server.request('DELETE', v2, { as: 'user' })).status, 400);
  assert.equal(
    (await server.request('DELETE', `${v2}?name=alpha-1&name=alpha-2`, { as: 'user' })).status,
    204,
  );
  assert.deepEqual(await names(server, v2), ['Beta%*']);
  assert.equal((await server.storedFiles()).length, 2);
});

test('software is releases and manifests, with strict paging and sorting', async () => {
  await using server = await stocked();
  const all = (await get(server, software)).json as Record<string, unknown>[];
  assert.deepEqual(Object.keys(all[0] ?? {}).toSorted(), [
    'compatible_types',
    'kind',
    'modified',
    'name',
    'notes',
    'tags',
  ]);
  assert.deepEqual(
    all.map(({ name, kind, compatible_types }) => [name, kind, compatible_types]),
    [
      ['Beta%*', 'release', ['qemu']],
      ['alpha-1', 'release', ['pi4']],
      ['alpha-2', 'release', ['beagle', 'pi4', 'pi5']],
      ['system', 'manifest', ['pi4']],
    ],
  );
  assert.deepEqual(await names(server, `${software}?name_prefix=alpha&sort=name:desc`), [
    'alpha-2',
    'alpha-1',
  ]);
  assert.deepEqual(await names(server, `${software}?name=system&name=alpha-1`), ['alpha-1', 'system']);
  assert.deepEqual(await names(server, `${software}?kind=manifest`), ['system']);
  assert.equal((await get(server, `${software}?per_page=2`)).headers.get('x-total-count'), '4');
  for (const query of [
    'name=a&name_prefix=b',
    'kind=car',
    'sort=size:asc',
    'per_page=x',
    'page=0',
    'per_page=501',
  ]) {
    assert.equal((await get(server, `${software}?${query}`)).status, 400, query);
  }
});

test('the storage used is told, and no other limit is known', async () => {
  await using server = await startTestServer();
  const id = await upload(server, { name: 'r' });
  const { size } = (await get(server, `${artifacts}/${id}`)).json as { size: number };
  assert.deepEqual((await get(server, '/api/management/v1/deployments/limits/storage')).json, {
    limit: 0,
    usage: size,
  });
  assert.equal((await get(server, '/api/management/v1/deployments/limits/other')).status, 400);
});
