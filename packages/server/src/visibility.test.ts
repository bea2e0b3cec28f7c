import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { allEndpoints } from '@tandem/api';
import type { Scope } from './actor.ts';
import { artifactForm, packArtifact } from './deployments/test-data/test-artifact.ts';
import { acceptedDevice, startWholeServer, type Answer, type WholeServer } from './testing/whole-server.ts';

const v1 = '/api/management/v1';
const v2 = '/api/management/v2';
const alpha = '/api/management/v1alpha1/deployments';
const next = '/api/devices/v1/deployments/device/deployments';

/**
 * The fleet: in the group `mine` and in `theirs`, and in none. `moved` was in `mine` when deployments were made, and is in `theirs`
 * now. Deployments: to either group, to two listed devices, to one of mine.
 */
const devices = ['mine1', 'mine2', 'theirs1', 'none1', 'moved'] as const;
type DeviceName = (typeof devices)[number];
const deployments = ['toMine', 'toTheirs', 'toTwo', 'toOneOfMine'] as const;
type DeploymentName = (typeof deployments)[number];

/** Releases, of one artifact each, by their tags. */
const tagsOf = { release: ['mine', 'shared'], other: ['shared', 'theirs'], untagged: [] } as const;
type ReleaseName = keyof typeof tagsOf;
const releases = ['release', 'other', 'untagged'] as const satisfies readonly ReleaseName[];
const payloadTypes = { release: 'rootfs-image', other: 'other-module', untagged: 'untagged-module' } as const;

const everything = ['mine1', 'mine2', 'theirs1', 'none1', 'moved'] as const;
const own = ['mine1', 'mine2'] as const;

interface World {
  readonly server: WholeServer;
  readonly admin: string;
  readonly scoped: string;
  readonly device: Readonly<Record<DeviceName, { id: string; setId: string; token: string }>>;
  readonly deployment: Readonly<Record<DeploymentName, string>>;
  /** The id of the one artifact of each release. */
  readonly artifact: Readonly<Record<ReleaseName, string>>;
}

const members = (json: unknown, key: string): string[] =>
  (json as Record<string, string>[]).map((one) => one[key] ?? '');
const ids = ({ json }: Answer) => members(json, 'id');

interface List {
  readonly endpoint: string;
  readonly method: 'GET' | 'POST';
  readonly path: (world: World) => string;
  readonly body?: (world: World) => unknown;
  /** Names of what is told of: of devices, deployments or releases. Ids are turned into names, of artifacts into their release's. */
  readonly told?: (answer: Answer) => readonly string[];
  readonly all: readonly string[];
  readonly own: readonly string[];
}

const at = (path: string) => () => path;
const count = ({ json }: Answer) => [String((json as { count: number }).count)];
const total = ({ headers }: Answer) => [String(headers['x-total-count'])];
const names = ({ json }: Answer) => members(json, 'name');
const namesV1 = ({ json }: Answer) => members(json, 'Name');
const texts = ({ json }: Answer) => json as string[];

// prettier-ignore
const lists: readonly List[] = [
  { endpoint: 'listDevices',            method: 'GET',  path: at(`${v2}/devauth/devices`),                       all: everything, own },
  { endpoint: 'searchDevices',          method: 'POST', path: at(`${v2}/devauth/devices/search`), body: () => ({ status: 'accepted' }), all: everything, own },
  { endpoint: 'searchDevices',          method: 'POST', path: at(`${v2}/devauth/devices/search`), body: ({ device }) => ({ id: [device.theirs1.id, device.mine1.id] }), all: ['mine1', 'theirs1'], own: ['mine1'] },
  { endpoint: 'countDevices',           method: 'GET',  path: at(`${v2}/devauth/devices/count`),                 all: ['5'], own: ['2'], told: count },
  { endpoint: 'countDevices',           method: 'GET',  path: at(`${v2}/devauth/devices/count?status=accepted`), all: ['5'], own: ['2'], told: count },
  { endpoint: 'listInventory',          method: 'GET',  path: at(`${v1}/inventory/devices`),                     all: everything, own },
  { endpoint: 'listInventory',          method: 'GET',  path: at(`${v1}/inventory/devices?per_page=1`),          all: ['5'], own: ['2'], told: total },
  { endpoint: 'listInventory',          method: 'GET',  path: at(`${v1}/inventory/devices?group=theirs`),        all: ['theirs1', 'moved'], own: [] },
  { endpoint: 'searchInventory',        method: 'POST', path: at(`${v2}/inventory/filters/search`), body: () => ({}), all: everything, own },
  { endpoint: 'searchInventory',        method: 'POST', path: at(`${v2}/inventory/filters/search`), body: () => ({ filters: [{ scope: 'identity', attribute: 'sn', type: '$regex', value: '1$' }] }), all: ['mine1', 'theirs1', 'none1'], own: ['mine1'] },
  { endpoint: 'listGroups',             method: 'GET',  path: at(`${v1}/inventory/groups`),                      all: ['mine', 'theirs'], own: ['mine'], told: ({ json }) => json as string[] },
  { endpoint: 'listGroupDevices',       method: 'GET',  path: at(`${v1}/inventory/groups/mine/devices`),         all: own, own, told: ({ json }) => json as string[] },
  { endpoint: 'listGroupDevices',       method: 'GET',  path: at(`${v1}/inventory/groups/theirs/devices`),       all: ['theirs1', 'moved'], own: ['404'], told: ({ status, json }) => status === 200 ? json as string[] : [String(status)] },
  { endpoint: 'listFilterAttributes',   method: 'GET',  path: at(`${v2}/inventory/filters/attributes`),          all: ['5'], own: ['2'], told: ({ json }) => [String((json as { name: string; count: number }[]).find(({ name }) => name === 'sn')?.count)] },
  { endpoint: 'countAttributeValues',   method: 'GET',  path: at('/api/tandem/v1/inventory/values?scope=identity&attribute=sn'), all: everything, own, told: ({ json }) => members((json as { values: unknown }).values, 'value') },
  { endpoint: 'getInventoryStatistics', method: 'GET',  path: at(`${v2}/inventory/statistics`),                  all: ['5'], own: ['2'], told: ({ json }) => [String((json as { devices_by_status: { accepted: { standard: number } } }).devices_by_status.accepted.standard)] },
  { endpoint: 'listDeployments',        method: 'GET',  path: at(`${v1}/deployments/deployments`),               all: deployments, own: ['toMine', 'toOneOfMine'] },
  { endpoint: 'listDeployments',        method: 'GET',  path: at(`${v1}/deployments/deployments?per_page=1`),    all: ['4'], own: ['2'], told: total },
  { endpoint: 'listDeploymentsV2',      method: 'GET',  path: at(`${v2}/deployments/deployments`),               all: deployments, own: ['toMine', 'toOneOfMine'] },
  { endpoint: 'listDeploymentsV2',      method: 'GET',  path: at(`${v2}/deployments/deployments?name=theirs1&id_attribute=sn`), all: ['toTheirs', 'toTwo'], own: [] },
  { endpoint: 'listDeploymentStatistics', method: 'POST', path: at(`${v1}/deployments/deployments/statistics/list`), body: ({ deployment }) => ({ deployment_ids: Object.values(deployment) }), all: deployments, own: ['toMine', 'toOneOfMine'] },
  { endpoint: 'getDeploymentDevices',   method: 'GET',  path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toMine}/devices`,      all: ['mine1', 'mine2', 'moved'], own },
  { endpoint: 'listDeploymentDevices',  method: 'GET',  path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toMine}/devices/list`, all: ['mine1', 'mine2', 'moved'], own },
  { endpoint: 'listDeploymentDevices',  method: 'GET',  path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toMine}/devices/list?per_page=1`, all: ['3'], own: ['2'], told: total },
  { endpoint: 'getDeploymentTargets',   method: 'GET',  path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toMine}/device_list`,  all: ['mine1', 'mine2', 'moved'], own, told: ({ json }) => json as string[] },
  { endpoint: 'listDeviceHistory',      method: 'GET',  path: ({ device }) => `${v1}/deployments/deployments/devices/${device.mine1.id}`,   all: ['toMine', 'toTwo'], own: ['toMine'], told: ({ json }) => (json as { deployment: { id: string } }[]).map(({ deployment }) => deployment.id) },
  { endpoint: 'listDeviceHistory',      method: 'GET',  path: ({ device }) => `${v1}/deployments/deployments/devices/${device.moved.id}`,   all: ['toMine'], own: [], told: ({ json }) => (json as { deployment: { id: string } }[]).map(({ deployment }) => deployment.id) },
  { endpoint: 'planDeployment',         method: 'POST', path: at(`${v1}/deployments/deployments/plan`), body: () => ({ artifact_name: 'release', group: 'mine' }), all: own, own, told: ({ json }) => members((json as { devices: unknown }).devices, 'id') },
  { endpoint: 'listAllArtifacts',       method: 'GET',  path: at(`${v1}/deployments/artifacts`),                 all: releases, own: ['release'] },
  { endpoint: 'listAllArtifacts',       method: 'GET',  path: at(`${v1}/deployments/artifacts?name=other`),      all: ['other'], own: [] },
  { endpoint: 'listArtifacts',          method: 'GET',  path: at(`${v1}/deployments/artifacts/list`),            all: releases, own: ['release'] },
  { endpoint: 'listArtifacts',          method: 'GET',  path: at(`${v1}/deployments/artifacts/list?per_page=1`), all: ['3'], own: ['1'], told: total },
  { endpoint: 'listArtifactsV2',        method: 'GET',  path: at(`${v2}/deployments/artifacts`),                 all: releases, own: ['release'] },
  { endpoint: 'listArtifactsV2',        method: 'GET',  path: at(`${v2}/deployments/artifacts?device_type=t`),   all: releases, own: ['release'] },
  { endpoint: 'listArtifactsV2',        method: 'GET',  path: at(`${v2}/deployments/artifacts?name=other&name=release`), all: ['other', 'release'], own: ['release'] },
  { endpoint: 'getReleases',            method: 'GET',  path: at(`${v1}/deployments/deployments/releases`),      all: releases, own: ['release'], told: namesV1 },
  { endpoint: 'getReleases',            method: 'GET',  path: at(`${v1}/deployments/deployments/releases?device_type=t`), all: releases, own: ['release'], told: namesV1 },
  { endpoint: 'listReleases',           method: 'GET',  path: at(`${v1}/deployments/deployments/releases/list`), all: releases, own: ['release'], told: namesV1 },
  { endpoint: 'listReleases',           method: 'GET',  path: at(`${v1}/deployments/deployments/releases/list?per_page=1`), all: ['3'], own: ['1'], told: total },
  { endpoint: 'listReleasesV2',         method: 'GET',  path: at(`${v2}/deployments/deployments/releases?sort=tags:asc`), all: releases, own: ['release'], told: names },
  { endpoint: 'listReleasesV2',         method: 'GET',  path: at(`${v2}/deployments/deployments/releases?tag=shared`), all: ['other', 'release'], own: ['release'], told: names },
  { endpoint: 'listReleasesV2',         method: 'GET',  path: at(`${v2}/deployments/deployments/releases?tag=theirs`), all: ['other'], own: [], told: names },
  { endpoint: 'listReleasesV2',         method: 'GET',  path: at(`${v2}/deployments/deployments/releases?per_page=1`), all: ['3'], own: ['1'], told: total },
  { endpoint: 'listReleaseTags',        method: 'GET',  path: at(`${v2}/deployments/releases/all/tags`),         all: ['mine', 'shared', 'theirs'], own: ['mine', 'shared'], told: texts },
  { endpoint: 'listPayloadTypes',       method: 'GET',  path: at(`${v2}/deployments/releases/all/types`),        all: Object.values(payloadTypes), own: ['rootfs-image'], told: texts },
  { endpoint: 'listSoftware',           method: 'GET',  path: at(`${alpha}/software`),                           all: releases, own: ['release'], told: names },
  { endpoint: 'listSoftware',           method: 'GET',  path: at(`${alpha}/software?per_page=1`),                all: ['3'], own: ['1'], told: total },
  { endpoint: 'listSoftwareTags',       method: 'GET',  path: at(`${alpha}/software/tags`),                      all: ['mine', 'shared', 'theirs'], own: ['mine', 'shared'], told: texts },
  { endpoint: 'listSoftwareTags',       method: 'GET',  path: at(`${alpha}/software/tags?kind=release`),         all: ['mine', 'shared', 'theirs'], own: ['mine', 'shared'], told: texts },
];

/** What a scoped user gets for what is not his; the administrator gets something else, so that it is there. */
// prettier-ignore
const points: readonly { endpoint: string; method: string; path: (world: World) => string; body?: (world: World) => unknown; refused: number }[] = [
  { endpoint: 'getDevice',               method: 'GET',    path: ({ device }) => `${v2}/devauth/devices/${device.theirs1.id}`, refused: 404 },
  { endpoint: 'getDevice',               method: 'GET',    path: ({ device }) => `${v2}/devauth/devices/${device.none1.id}`, refused: 404 },
  { endpoint: 'getAuthSetStatus',        method: 'GET',    path: ({ device: { theirs1 } }) => `${v2}/devauth/devices/${theirs1.id}/auth/${theirs1.setId}/status`, refused: 404 },
  { endpoint: 'setAuthSetStatus',        method: 'PUT',    path: ({ device: { theirs1 } }) => `${v2}/devauth/devices/${theirs1.id}/auth/${theirs1.setId}/status`, body: () => ({ status: 'accepted' }), refused: 404 },
  { endpoint: 'getInventory',            method: 'GET',    path: ({ device }) => `${v1}/inventory/devices/${device.theirs1.id}`, refused: 404 },
  { endpoint: 'getDeviceGroup',          method: 'GET',    path: ({ device }) => `${v1}/inventory/devices/${device.theirs1.id}/group`, refused: 404 },
  { endpoint: 'getDeviceConfiguration',  method: 'GET',    path: ({ device }) => `${v1}/deviceconfig/configurations/device/${device.theirs1.id}`, refused: 404 },
  { endpoint: 'putDeviceConfiguration',         method: 'PUT',    path: ({ device }) => `${v1}/deviceconfig/configurations/device/${device.theirs1.id}`, body: () => ({ a: 'b' }), refused: 404 },
  { endpoint: 'getDeployment',           method: 'GET',    path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toTheirs}`, refused: 404 },
  { endpoint: 'getDeployment',           method: 'GET',    path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toTwo}`, refused: 404 },
  { endpoint: 'getDeploymentStatistics', method: 'GET',    path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toTwo}/statistics`, refused: 404 },
  { endpoint: 'getDeploymentDevices',    method: 'GET',    path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toTwo}/devices`, refused: 404 },
  { endpoint: 'listDeploymentDevices',   method: 'GET',    path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toTwo}/devices/list`, refused: 404 },
  { endpoint: 'getDeploymentTargets',    method: 'GET',    path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toTwo}/device_list`, refused: 404 },
  { endpoint: 'getDeviceDeploymentLog',  method: 'GET',    path: ({ deployment, device }) => `${v1}/deployments/deployments/${deployment.toMine}/devices/${device.moved.id}/log`, refused: 404 },
  { endpoint: 'getDeploymentFailures',   method: 'GET',    path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toTwo}/failures`, refused: 404 },
  { endpoint: 'getDeviceDeploymentTimeline', method: 'GET', path: ({ deployment, device }) => `${v1}/deployments/deployments/${deployment.toMine}/devices/${device.moved.id}/timeline`, refused: 404 },
  { endpoint: 'getDeviceDeploymentTimeline', method: 'GET', path: ({ deployment, device }) => `${v1}/deployments/deployments/${deployment.toTwo}/devices/${device.mine1.id}/timeline`, refused: 404 },
  { endpoint: 'planDeployment',          method: 'POST',   path: at(`${v1}/deployments/deployments/plan`), body: () => ({ artifact_name: 'release', group: 'theirs' }), refused: 403 },
  { endpoint: 'planDeployment',          method: 'POST',   path: at(`${v1}/deployments/deployments/plan`), body: ({ device }) => ({ artifact_name: 'release', devices: [device.theirs1.id] }), refused: 403 },
  { endpoint: 'createGroupDeployment',   method: 'POST',   path: at(`${v1}/deployments/deployments/group/theirs`), body: () => ({ name: 'n', artifact_name: 'release' }), refused: 403 },
  { endpoint: 'createDeployment',        method: 'POST',   path: at(`${v1}/deployments/deployments`), body: () => ({ name: 'n', artifact_name: 'release', all_devices: true }), refused: 403 },
  { endpoint: 'createDeployment',        method: 'POST',   path: at(`${v1}/deployments/deployments`), body: ({ device }) => ({ name: 'n', artifact_name: 'release', devices: [device.none1.id] }), refused: 403 },
  { endpoint: 'createDeployment',        method: 'POST',   path: at(`${v1}/deployments/deployments`), body: ({ device }) => ({ name: 'm', artifact_name: 'release', devices: [device.mine1.id, device.mine2.id] }), refused: 403 },
  { endpoint: 'preauthorizeDevice',      method: 'POST',   path: at(`${v2}/devauth/devices`), body: () => ({ identity_data: { sn: 'new' }, pubkey }), refused: 403 },
  { endpoint: 'abortDeployment',         method: 'PUT',    path: ({ deployment }) => `${v1}/deployments/deployments/${deployment.toTheirs}/status`, body: () => ({ status: 'aborted' }), refused: 422 },
  { endpoint: 'deployDeviceConfiguration', method: 'POST', path: ({ device }) => `${v1}/deviceconfig/configurations/device/${device.theirs1.id}/deploy`, body: () => ({ retries: 0 }), refused: 404 },
  { endpoint: 'revokeDeviceToken',       method: 'DELETE', path: ({ device }) => `${v2}/devauth/tokens/${device.theirs1.setId}`, refused: 404 },
  { endpoint: 'deleteAuthSet',           method: 'DELETE', path: ({ device: { theirs1 } }) => `${v2}/devauth/devices/${theirs1.id}/auth/${theirs1.setId}`, refused: 404 },
  { endpoint: 'getArtifact',             method: 'GET',    path: ({ artifact }) => `${v1}/deployments/artifacts/${artifact.other}`, refused: 404 },
  { endpoint: 'getArtifact',             method: 'GET',    path: ({ artifact }) => `${v1}/deployments/artifacts/${artifact.untagged}`, refused: 404 },
  { endpoint: 'getArtifactLink',         method: 'GET',    path: ({ artifact }) => `${v1}/deployments/artifacts/${artifact.other}/download`, refused: 404 },
  { endpoint: 'putArtifact',             method: 'PUT',    path: ({ artifact }) => `${v1}/deployments/artifacts/${artifact.other}`, body: () => ({ description: 'x' }), refused: 404 },
  { endpoint: 'getRelease',              method: 'GET',    path: at(`${v2}/deployments/deployments/releases/other`), refused: 404 },
  { endpoint: 'patchRelease',            method: 'PATCH',  path: at(`${v2}/deployments/deployments/releases/other`), body: () => ({ notes: 'x' }), refused: 404 },
  { endpoint: 'putReleaseTags',          method: 'PUT',    path: at(`${v2}/deployments/deployments/releases/other/tags`), body: () => ['shared', 'theirs'], refused: 404 },
  { endpoint: 'planDeployment',          method: 'POST',   path: at(`${v1}/deployments/deployments/plan`), body: () => ({ artifact_name: 'other', group: 'mine' }), refused: 403 },
  { endpoint: 'createGroupDeployment',   method: 'POST',   path: at(`${v1}/deployments/deployments/group/mine`), body: () => ({ name: 'n', artifact_name: 'other' }), refused: 403 },
  { endpoint: 'createDeployment',        method: 'POST',   path: at(`${v1}/deployments/deployments`), body: ({ device }) => ({ name: 'n', artifact_name: 'other', devices: [device.mine1.id] }), refused: 403 },
  { endpoint: 'deleteArtifact',          method: 'DELETE', path: ({ artifact }) => `${v1}/deployments/artifacts/${artifact.untagged}`, refused: 404 },
  { endpoint: 'decommissionDevice',      method: 'DELETE', path: ({ device }) => `${v2}/devauth/devices/${device.none1.id}`, refused: 404 },
];

/** What changes nothing when it is asked for what is not his, whatever it answers. */
// prettier-ignore
const silent: readonly { endpoint: string; method: string; path: (world: World) => string; body?: (world: World) => unknown }[] = [
  { endpoint: 'clearInventory',         method: 'DELETE', path: ({ device }) => `${v1}/inventory/devices/${device.theirs1.id}` },
  { endpoint: 'replaceTags',            method: 'PUT',    path: ({ device }) => `${v1}/inventory/devices/${device.theirs1.id}/tags`, body: () => [{ name: 'a', value: 'put' }] },
  { endpoint: 'updateTags',             method: 'PATCH',  path: ({ device }) => `${v1}/inventory/devices/${device.theirs1.id}/tags`, body: () => [{ name: 'a', value: 'patched' }] },
  { endpoint: 'addGroupDevices',        method: 'PATCH',  path: at(`${v1}/inventory/groups/mine/devices`), body: ({ device }) => [device.theirs1.id] },
  { endpoint: 'setDeviceGroup',         method: 'PUT',    path: ({ device }) => `${v1}/inventory/devices/${device.theirs1.id}/group`, body: () => ({ group: 'theirs' }) },
  { endpoint: 'leaveDeviceGroup',       method: 'DELETE', path: ({ device }) => `${v1}/inventory/devices/${device.theirs1.id}/group/theirs` },
  { endpoint: 'removeGroupDevices',     method: 'DELETE', path: at(`${v1}/inventory/groups/theirs/devices`), body: ({ device }) => [device.theirs1.id] },
  { endpoint: 'dissolveGroup',          method: 'DELETE', path: at(`${v1}/inventory/groups/theirs`) },
  { endpoint: 'abortDeviceDeployments', method: 'DELETE', path: ({ device }) => `${v1}/deployments/deployments/devices/${device.theirs1.id}` },
  { endpoint: 'clearDeviceHistory',     method: 'DELETE', path: ({ device }) => `${v1}/deployments/deployments/devices/${device.theirs1.id}/history` },
  { endpoint: 'deleteReleases',         method: 'DELETE', path: at(`${v2}/deployments/deployments/releases?name=other&name=untagged`) },
];

/** What sends a file: for a release of that name, and a device type of its own. */
// prettier-ignore
const uploads: readonly { endpoint: string; path: string; form: (name: string, deviceType: string) => Promise<FormData> }[] = [
  { endpoint: 'uploadArtifact',   path: `${v1}/deployments/artifacts`,          form: async (name, type) => artifactForm(await packArtifact({ name, deviceTypes: [type] })) },
  { endpoint: 'generateArtifact', path: `${v1}/deployments/artifacts/generate`, form: async (name, type) => rawFileForm(name, type) },
];

/** Numbers of the tenant; and what needs a bucket (releases/direct-upload.test.ts). */
const unscoped = ['getDeviceLimit', 'getStorageLimit', 'requestDirectUpload', 'completeDirectUpload'];

const pubkey =
  '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n';

describe('what a user with a scope sees', () => {
  let world: World;
  before(async () => {
    world = await furnished();
  });
  after(() => world.server[Symbol.asyncDispose]());

  const ask = (token: string, { method, path, body }: Pick<List, 'path' | 'body'> & { method: string }) =>
    world.server.request(method, path(world), { token, body: body?.(world) });
  const nameOf = (id: string) =>
    devices.find((name) => world.device[name].id === id) ??
    deployments.find((name) => world.deployment[name] === id) ??
    releases.find((name) => world.artifact[name] === id) ??
    id;

  for (const list of lists) {
    const { told = ids } = list;
    it(`${list.endpoint} ${list.own.join()} of ${list.all.join()}`, async () => {
      const shown = async (token: string) => {
        const answer = await ask(token, list);
        assert.ok(answer.status < 500, answer.text);
        return told(answer).map(nameOf).toSorted();
      };
      assert.deepEqual(await shown(world.admin), list.all.toSorted());
      assert.deepEqual(await shown(world.scoped), list.own.toSorted());
    });
  }

  it('devices in the filter of a deployment', async () => {
    const path = () => `${v1}/deployments/deployments/${world.deployment.toOneOfMine}`;
    await setGroup(world.server, world.device.mine2.id, 'theirs');
    const { json } = await ask(world.scoped, { method: 'GET', path });
    assert.deepEqual((json as { filter: { terms: { value: unknown }[] } }).filter.terms[0]?.value, []);
    await setGroup(world.server, world.device.mine2.id, 'mine');
    const again = await ask(world.scoped, { method: 'GET', path });
    assert.ok(again.text.includes(world.device.mine2.id));
  });

  it('changes of what he sees, by the scope he has now', async () => {
    const { server, device, admin, scoped } = world;
    const url = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const events = async (token: string, last: string) => {
      const response = await fetch(`${url}/api/tandem/v1/changes?after=0`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(20_000),
      });
      let text = '';
      for await (const chunk of response.body ?? assert.fail()) {
        text += Buffer.from(chunk).toString();
        if (text.includes(last)) break;
      }
      return text.split('\n').flatMap((line) => (line.startsWith('data: ') ? line.slice(6) : []));
    };
    const configure = (id: string) =>
      server.request('PUT', `${v1}/deviceconfig/configurations/device/${id}`, { token: admin, body: {} });
    await configure(device.theirs1.id);
    await configure(device.mine1.id);
    const last = `"device-configuration.updated","ref":"${device.mine1.id}"`;
    const [all, own] = [await events(admin, last), await events(scoped, last)];
    const foreign = [
      ...[device.theirs1, device.none1, device.moved].flatMap(({ id, setId }) => [id, setId]),
      world.deployment.toTheirs,
      world.deployment.toTwo,
      world.artifact.other,
      world.artifact.untagged,
      '"ref":"other"',
    ];
    for (const id of foreign) {
      assert.ok(
        all.some((line) => line.includes(id)),
        `the administrator learns of ${nameOf(id)}`,
      );
      assert.deepEqual(
        own.filter((line) => line.includes(id)),
        [],
        `the scoped user not of ${nameOf(id)}`,
      );
    }
    const his = [device.mine1.id, device.mine2.id, world.deployment.toMine, world.artifact.release];
    for (const id of [...his, '"ref":"release"']) {
      assert.ok(own.some((line) => line.includes(id)));
      assert.deepEqual(
        own.filter((line) => line.includes(id) && !foreign.some((other) => line.includes(other))),
        all.filter((line) => line.includes(id) && !foreign.some((other) => line.includes(other))),
      );
    }
    assert.ok(own.some((line) => line.includes('"auth-set.accepted"')));
    assert.ok(own.some((line) => line.includes('"device-deployment.')));
  });

  it('nothing that he could change silently', async () => {
    const { server, device, scoped, admin } = world;
    await server.request('PATCH', '/api/devices/v1/inventory/device/attributes', {
      token: device.theirs1.token,
      body: [{ name: 'reported', value: 'x' }],
    });
    const seen = async () => {
      const { id } = device.theirs1;
      const paths = [
        `${v1}/inventory/devices/${id}`,
        `${v1}/deployments/deployments/devices/${id}`,
        `${v2}/deployments/deployments/releases`,
      ];
      return Promise.all(
        paths.map(async (path) => (await server.request('GET', path, { token: admin })).json),
      );
    };
    const before = await seen();
    for (const one of silent) {
      const { status, text } = await ask(scoped, one);
      assert.ok(status < 500, text);
      assert.deepEqual(await seen(), before, one.endpoint);
    }
  });

  it('what others may do is refused to him, as if it were not there or 403', async () => {
    for (const point of points) {
      const answer = await ask(world.scoped, point);
      const what = `${point.endpoint} ${point.method} ${point.path(world)}: ${answer.text}`;
      assert.equal(answer.status, point.refused, what);
      if (answer.status === 403) assert.match(answer.text, /forbidden by role-based access control/);
    }
    // And they could: in the order of the table, which ends with what takes things away.
    for (const point of points) {
      const answer = await ask(world.admin, point);
      assert.ok(
        answer.status < 300,
        `${point.endpoint} ${point.path(world)}: ${answer.status} ${answer.text}`,
      );
    }
  });

  it('a release that he does not see and one that is not there are the same to him', async () => {
    const described = { description: 'x' };
    const path = () => `${v1}/deployments/artifacts/${world.artifact.other}`;
    const describeOther = { method: 'PUT', path, body: () => described };
    assert.equal((await ask(world.admin, describeOther)).status, 422, 'it was deployed');
    assert.equal((await ask(world.scoped, describeOther)).status, 404);
    const body = () => ({ artifact_name: 'nothing', group: 'mine' });
    const plan = { method: 'POST', path: at(`${v1}/deployments/deployments/plan`), body };
    assert.equal((await ask(world.admin, plan)).status, 422);
    assert.equal((await ask(world.scoped, plan)).status, 403);
  });

  for (const { endpoint, path, form } of uploads) {
    it(`${endpoint} adds to a release that he sees, to no other, and begins none`, async () => {
      const send = async (token: string, name: string) =>
        sendForm(world.server, { token, path, form: await form(name, endpoint) });
      assert.equal((await send(world.scoped, 'release')).status, 201);
      for (const name of ['other', `new of ${endpoint}`]) {
        const refused = await send(world.scoped, name);
        assert.equal(refused.status, 403, refused.text);
        assert.match(refused.text, /forbidden by role-based access control/);
        assert.equal((await send(world.admin, name)).status, 201, 'and nothing of it was kept');
      }
    });
  }

  it('the artifact that a device got, while he sees its release', async () => {
    const retag = (tags: readonly string[]) =>
      world.server.request('PUT', `${v2}/deployments/deployments/releases/release/tags`, {
        token: world.admin,
        body: tags,
      });
    const imageOf = async (token: string) => {
      const path = () => `${v1}/deployments/deployments/${world.deployment.toMine}/devices/list`;
      const { json } = await ask(token, { method: 'GET', path });
      const parts = json as { id: string; image?: { name: string } }[];
      return parts.find(({ id }) => id === world.device.mine1.id)?.image?.name;
    };
    assert.equal(await imageOf(world.scoped), 'release');
    assert.equal((await retag(['theirs'])).status, 204);
    assert.equal(await imageOf(world.admin), 'release');
    assert.equal(await imageOf(world.scoped), undefined);
    assert.equal((await retag(tagsOf.release)).status, 204);
  });

  it('his own is his to read, to change and to take away', async () => {
    const his = { name: 'his', tags: ['mine'], payloadType: 'rootfs-image' };
    const artifact = `${v1}/deployments/artifacts/${await uploaded(world.server, his)}`;
    const release = `${v2}/deployments/deployments/releases/his`;
    // prettier-ignore
    const asked = [
      ['GET',    release,                   200, undefined],
      ['PATCH',  release,                   204, { notes: 'x' }],
      ['PUT',    `${release}/tags`,         204, ['mine', 'more']],
      ['GET',    artifact,                  200, undefined],
      ['GET',    `${artifact}/download`,    200, undefined],
      ['PUT',    artifact,                  204, { description: 'x' }],
      ['DELETE', artifact,                  204, undefined],
      ['GET',    release,                   404, undefined],
    ] as const;
    for (const [method, path, status, body] of asked) {
      const answer = await world.server.request(method, path, { token: world.scoped, body });
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    }
  });

  it('his own is his to deploy to', async () => {
    const asked = { name: 'own', artifact_name: 'release' };
    for (const [path, body] of [
      [`${v1}/deployments/deployments/group/mine`, asked],
      [`${v1}/deployments/deployments`, { ...asked, devices: [world.device.mine1.id] }],
    ] as const) {
      const answer = await world.server.request('POST', path, { token: world.scoped, body });
      assert.equal(answer.status, 201, answer.text);
      const { status } = await world.server.request('GET', String(answer.headers['location']), {
        token: world.scoped,
      });
      assert.equal(status, 200, 'and he sees what he began');
    }
  });

  it('is asked of every endpoint that is about devices, deployments, releases or artifacts', () => {
    const asked = new Set<string>(
      [...lists, ...points, ...silent, ...uploads].map(({ endpoint }) => endpoint),
    );
    const known = new Set<string>([...asked, ...unscoped]);
    const about = allEndpoints.filter(
      ({ audience, tag, path }) =>
        audience === 'user' &&
        /device|deployments|inventory|artifacts|releases/.test(tag) &&
        !path.includes('deviceconnect'),
    );
    assert.deepEqual(
      about.map(({ id }) => id).filter((id) => !known.has(id)),
      [],
    );
    const all = new Set<string>(allEndpoints.map(({ id }) => id));
    assert.deepEqual(
      [...known].filter((id) => !all.has(id)),
      [],
    );
  });
});

const setGroup = async ({ request, token }: WholeServer, id: string, group: string): Promise<void> => {
  const { status } = await request('PUT', `${v1}/inventory/devices/${id}/group`, { token, body: { group } });
  assert.equal(status, 204);
};

/** Sends a form without a socket. */
async function sendForm(
  { request }: WholeServer,
  { token, path, form }: { readonly token: string; readonly path: string; readonly form: FormData },
): Promise<Answer> {
  const sent = new Response(form);
  const headers = { 'content-type': sent.headers.get('content-type') ?? '' };
  return request('POST', path, { token, headers, body: new Uint8Array(await sent.arrayBuffer()) });
}

function rawFileForm(name: string, deviceType: string): FormData {
  const form = new FormData();
  form.append('name', name);
  form.append('device_types_compatible', deviceType);
  form.append('type', 'single-file');
  form.append('args', JSON.stringify({ filename: 'motd', dest_dir: '/etc' }));
  form.append('file', new Blob(['hello']), 'motd');
  return form;
}

/** A release of one artifact, with its tags; returns the id of the artifact. */
async function uploaded(
  server: WholeServer,
  { name, tags, payloadType }: { name: string; tags: readonly string[]; payloadType: string },
): Promise<string> {
  const { token } = server;
  const form = artifactForm(await packArtifact({ name, deviceTypes: ['t'], payloadType }));
  const answer = await sendForm(server, { token, path: `${v1}/deployments/artifacts`, form });
  assert.equal(answer.status, 201, answer.text);
  const path = `${v2}/deployments/deployments/releases/${name}/tags`;
  assert.equal((await server.request('PUT', path, { token, body: tags })).status, 204);
  return String(answer.headers['location']).split('/').at(-1) ?? '';
}

async function furnished(): Promise<World> {
  const server = await startWholeServer();
  const { token: admin, request } = server;
  const user = { email: 'scoped@example.com', password: 'another password' };
  const scoped = await server.userOf('000000000000000000000001', user);
  const device: Partial<Record<DeviceName, { id: string; setId: string; token: string }>> = {};
  for (const name of devices) {
    const { id, setId, token } = await acceptedDevice(server, { sn: name });
    device[name] = { id, setId, token };
    const group = /^(mine|theirs|moved)/.exec(name)?.[0]?.replace('moved', 'mine');
    if (group !== undefined) await setGroup(server, id, group);
  }
  const fleet = device as World['device'];
  const artifact: Partial<Record<ReleaseName, string>> = {};
  for (const name of releases)
    artifact[name] = await uploaded(server, { name, tags: tagsOf[name], payloadType: payloadTypes[name] });
  const deploy = async (path: string, body: object) => {
    const answer = await request('POST', `${v1}/deployments/deployments${path}`, {
      token: admin,
      body: { artifact_name: 'release', ...body },
    });
    assert.equal(answer.status, 201, answer.text);
    return String(answer.headers['location']).split('/').at(-1) ?? '';
  };
  const deployment = {
    toMine: await deploy('/group/mine', { name: 'to mine' }),
    toTheirs: await deploy('/group/theirs', { name: 'to theirs' }),
    toTwo: await deploy('', { name: 'to two', devices: [fleet.mine1.id, fleet.theirs1.id] }),
    toOneOfMine: await deploy('', { name: 'to one of mine', devices: [fleet.mine2.id] }),
  };
  // All take part in the first that is for them; the first of mine ends it, and takes part in the next.
  const poll = async (name: DeviceName) => {
    const { status } = await request('GET', `${next}/next?artifact_name=a&device_type=t`, {
      token: fleet[name].token,
    });
    return status;
  };
  for (const name of ['mine1', 'mine2', 'theirs1', 'moved'] as const) assert.equal(await poll(name), 200);
  for (const name of ['mine1', 'moved'] as const) {
    const log = { messages: [{ timestamp: '2026-01-01T00:00:00Z', level: 'info', message: 'x' }] };
    const asDevice = { token: fleet[name].token };
    const sent = await request('PUT', `${next}/${deployment.toMine}/log`, { ...asDevice, body: log });
    assert.equal(sent.status, 204, sent.text);
    const body = { status: 'failure' };
    await request('PUT', `${next}/${deployment.toMine}/status`, { ...asDevice, body });
  }
  assert.equal(await poll('mine1'), 200);
  await setGroup(server, fleet.moved.id, 'theirs');
  const users = await request('GET', `${v1}/useradm/users`, { token: admin });
  const { id } =
    (users.json as { id: string; email: string }[]).find(({ email }) => email === user.email) ??
    assert.fail();
  const scope: Scope = { groups: ['mine'], tags: ['mine'] };
  server.scopes.set(id, scope);
  return { server, admin, scoped, device: fleet, deployment, artifact: artifact as World['artifact'] };
}
