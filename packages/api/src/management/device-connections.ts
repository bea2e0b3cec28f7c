import { Type } from 'typebox';
import { defineEndpoint, multipartBody } from '../endpoint.ts';

/*
 * Connections to devices (server contract 7): terminals, port forwarding, file transfer. There are none yet: no device is ever
 * connected, and everything answers as it does for a device that is not.
 */

const tag = 'device connections';
const base = '/api/management/v1/deviceconnect';
const params = Type.Object({ id: Type.String() });
const reading = { tag, audience: 'user', permission: 'connections.read', auditAction: null } as const;
const using = { tag, audience: 'user', permission: 'connections.write', responses: {} } as const;

export const connectDevice = defineEndpoint({
  id: 'connectDevice',
  method: 'GET',
  path: '/api/devices/v1/deviceconnect/connect',
  tag,
  summary: 'Refused before the upgrade to a WebSocket',
  audience: 'device',
  permission: null,
  auditAction: null,
  responses: {},
  errors: [401, 404],
});

export const getDeviceConnection = defineEndpoint({
  ...reading,
  id: 'getDeviceConnection',
  method: 'GET',
  path: `${base}/devices/{id}`,
  summary: 'Whether a device is connected: it never was',
  params,
  responses: {},
  errors: [400, 401, 403, 404],
});

export const connectToDevice = defineEndpoint({
  ...using,
  id: 'connectToDevice',
  method: 'GET',
  path: `${base}/devices/{id}/connect`,
  summary: 'Refused before the upgrade to a WebSocket, as for a device that is not connected',
  auditAction: null,
  params,
  errors: [400, 401, 403, 404],
});

export const downloadFromDevice = defineEndpoint({
  ...using,
  id: 'downloadFromDevice',
  method: 'GET',
  path: `${base}/devices/{id}/download`,
  summary: 'A file of the device, which is not connected',
  auditAction: 'download',
  params,
  query: Type.Object({ path: Type.Optional(Type.String()) }),
  errors: [400, 401, 403, 404, 409],
});

export const uploadToDevice = defineEndpoint({
  ...using,
  id: 'uploadToDevice',
  method: 'PUT',
  path: `${base}/devices/{id}/upload`,
  summary: 'A file for the device, which is not connected',
  auditAction: 'upload',
  params,
  body: multipartBody(
    Type.Object({
      path: Type.String(),
      uid: Type.Optional(Type.String()),
      gid: Type.Optional(Type.String()),
      mode: Type.Optional(Type.String()),
      file: Type.Optional(Type.String({ format: 'binary' })),
    }),
    1024 ** 3,
  ),
  errors: [400, 401, 403, 404, 409, 413],
});

export const checkDeviceForUpdate = defineEndpoint({
  ...using,
  id: 'checkDeviceForUpdate',
  method: 'POST',
  path: `${base}/devices/{id}/check-update`,
  summary: 'Have the device ask for an update now; it is not connected',
  auditAction: 'check-update',
  params,
  errors: [400, 401, 403, 404, 409],
});

export const askDeviceForInventory = defineEndpoint({
  ...using,
  id: 'askDeviceForInventory',
  method: 'POST',
  path: `${base}/devices/{id}/send-inventory`,
  summary: 'Have the device send its inventory now; it is not connected',
  auditAction: 'send-inventory',
  params,
  errors: [400, 401, 403, 404, 409],
});

export const playSession = defineEndpoint({
  ...reading,
  id: 'playSession',
  method: 'GET',
  path: `${base}/sessions/{session_id}/playback`,
  summary: 'A recorded terminal session: there is none',
  params: Type.Object({ session_id: Type.String() }),
  query: Type.Object({ sleep_ms: Type.Optional(Type.String()) }),
  responses: {},
  errors: [400, 401, 403, 404],
});
