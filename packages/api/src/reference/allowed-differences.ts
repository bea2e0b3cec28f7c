/** What clients of the reference may miss, and why that is right or bearable. Every row must still be true: a stale one fails. */
export interface AllowedDifference {
  readonly operations: readonly string[];
  readonly differs: readonly string[];
  readonly reason: string;
}

const deployments = '/api/management/v1/deployments';
const deploymentsV2 = '/api/management/v2/deployments';
const devauth = '/api/management/v2/devauth';
const inventory = '/api/management/v1/inventory';
const useradm = '/api/management/v1/useradm';
const deviceconnect = '/api/management/v1/deviceconnect';
const iotManager = '/api/management/v1/iot-manager';

const notConnected = 'devices cannot be connected to yet: all is answered as for one that is not';

export const allowedDifferences: readonly AllowedDifference[] = [
  {
    operations: [
      'POST /api/devices/v1/authentication/auth_requests',
      `DELETE ${devauth}/devices/{id}`,
      `DELETE ${devauth}/devices/{id}/auth/{aid}`,
      `PUT ${devauth}/devices/{id}/auth/{aid}/status`,
      `DELETE ${devauth}/tokens/{id}`,
      `GET ${devauth}/limits/max_devices`,
      `POST ${useradm}/auth/login`,
    ],
    differs: ['never answers 503'],
    reason: 'stands there for an unreachable cache or workflow engine; one process has neither',
  },
  {
    operations: [
      `PATCH ${deploymentsV2}/deployments/releases/{release_name}`,
      `PUT ${deploymentsV2}/deployments/releases/{release_name}/tags`,
      `PUT ${deployments}/artifacts/{id}`,
      'POST /api/management/v2/inventory/filters/search',
      'PUT /api/devices/v1/deviceconfig/configuration',
      'PUT /api/management/v1/deviceconfig/configurations/device/{deviceId}',
    ],
    differs: ['asks for a body'],
    reason: 'the document leaves unsaid that the body is required, but nothing is JSON that has no byte',
  },
  {
    operations: ['GET /api/devices/v1/deployments/device/deployments/next'],
    differs: ['never answers 404'],
    reason: 'no handler of the reference answers it either (server contract 4.8)',
  },
  {
    operations: [`PUT ${deployments}/deployments/{deployment_id}/status`],
    differs: ['never answers 404'],
    reason: 'an unknown deployment is answered with 422, as the reference does (server contract 4.7)',
  },
  {
    operations: [`PATCH ${inventory}/groups/{name}/devices`, `DELETE ${inventory}/groups/{name}/devices`],
    differs: ['never answers 404'],
    reason: 'devices that are not there are not counted; no handler answers 404 (server contract 3.3)',
  },
  {
    operations: [`DELETE ${inventory}/groups/{name}`],
    differs: ['never answers 404'],
    reason: 'an unknown group is answered with 200 and {} (server contract 3.3)',
  },
  {
    operations: [`PUT ${inventory}/devices/{id}/tags`, `PATCH ${inventory}/devices/{id}/tags`],
    differs: ['never answers 404'],
    reason: 'an unknown device is answered with 200 and nothing is stored (server contract 3.3)',
  },
  {
    operations: [`GET ${inventory}/devices/{id}/group`],
    differs: ['never answers 400'],
    reason: 'any id that is not empty may be asked for; there is nothing to be malformed',
  },
  {
    operations: [`GET ${deploymentsV2}/releases/all/tags`, `GET ${deploymentsV2}/releases/all/types`],
    differs: ['never answers 400'],
    reason: 'the request has no parameter that could be wrong',
  },
  {
    operations: [`GET ${deploymentsV2}/releases/all/tags`],
    differs: ['never answers 409'],
    reason: 'reading is in conflict with nothing; the status belongs to the change of tags',
  },
  {
    operations: [`POST ${useradm}/auth/logout`],
    differs: ['never answers 400'],
    reason: 'the request has nothing but its token',
  },
  {
    operations: ['PUT /api/management/v2/useradm/users/me'],
    differs: ['never answers 404'],
    reason: 'whoever is gone has no token that counts, and is answered with 401',
  },
  {
    operations: ['POST /api/management/v2alpha1/inventory/identities/search'],
    differs: ['absent'],
    reason: 'documented, but routed by no open edition of the reference',
  },
  {
    operations: [`DELETE ${iotManager}/devices/{deviceId}`],
    differs: ['absent'],
    reason: 'documented, but routed by no open edition of the reference',
  },
  {
    operations: [
      `POST ${iotManager}/integrations`,
      `DELETE ${iotManager}/integrations/{id}`,
      `PUT ${iotManager}/integrations/{id}/credentials`,
      `GET ${iotManager}/devices/{deviceId}/state`,
      `GET ${iotManager}/devices/{deviceId}/state/{integrationId}`,
      `PUT ${iotManager}/devices/{deviceId}/state/{integrationId}`,
    ],
    differs: ['absent'],
    reason: 'there are no integrations yet: lists are empty, and nothing else can be asked for',
  },
  {
    operations: ['GET /api/devices/v1/deviceconnect/connect'],
    differs: ['never answers 101', 'never answers 400'],
    reason: notConnected,
  },
  {
    operations: [
      `GET ${deviceconnect}/devices/{id}/connect`,
      `GET ${deviceconnect}/sessions/{session_id}/playback`,
    ],
    differs: ['never answers 101'],
    reason: notConnected,
  },
  {
    operations: [`GET ${deviceconnect}/devices/{id}`, `GET ${deviceconnect}/devices/{id}/download`],
    differs: ['never answers 200'],
    reason: notConnected,
  },
  {
    operations: [`PUT ${deviceconnect}/devices/{id}/upload`],
    differs: ['never answers 201', 'asks for a body'],
    reason: notConnected,
  },
  {
    operations: [
      `POST ${deviceconnect}/devices/{id}/check-update`,
      `POST ${deviceconnect}/devices/{id}/send-inventory`,
    ],
    differs: ['never answers 202'],
    reason: notConnected,
  },
];
