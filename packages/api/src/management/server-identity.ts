import { Type, type Static } from 'typebox';
import { defineEndpoint, json } from '../endpoint.ts';

/** What the reference has nothing of. */
const tag = 'server';

export const ServerIdentity = Type.Object({
  public_url: Type.String({ description: 'by which devices reach the server' }),
  authority: Type.Union(
    [
      Type.Null(),
      Type.Object({
        certificate: Type.String({ description: 'PEM, for ServerCertificate of a device' }),
        sha256: Type.String({ description: 'fingerprint, as browsers show it' }),
      }),
    ],
    { description: "null where the server's certificate was given, not made by itself" },
  ),
  virtual_devices: Type.Boolean({ description: 'whether it can be asked for virtual devices' }),
});
export type ServerIdentity = Static<typeof ServerIdentity>;

export const getServerIdentity = defineEndpoint({
  id: 'getServerIdentity',
  method: 'GET',
  path: '/api/tandem/v1/server',
  tag,
  audience: 'user',
  permission: 'devices.read',
  auditAction: null,
  summary: 'What a new device must be told to reach and trust this server',
  responses: { 200: json(ServerIdentity) },
  errors: [401, 403],
});
