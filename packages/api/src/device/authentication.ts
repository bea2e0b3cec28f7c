import { Type, type Static } from 'typebox';
import { bytesBody, defineEndpoint, jwt } from '../endpoint.ts';

/** What a device says of itself. The signature in X-MEN-Signature covers the body's bytes as they were sent. */
export const AuthRequest = Type.Object({
  id_data: Type.String({ description: 'a JSON object, as a string' }),
  pubkey: Type.String({ description: 'PEM, PKIX: RSA, ECDSA or Ed25519' }),
  tenant_token: Type.Optional(Type.String()),
  tier: Type.Optional(Type.String()),
});
export type AuthRequest = Static<typeof AuthRequest>;

export const authenticateDevice = defineEndpoint({
  id: 'authenticateDevice',
  method: 'POST',
  path: '/api/devices/v1/authentication/auth_requests',
  tag: 'device: authentication',
  summary: 'Ask for a token; 401 until a user has accepted the device',
  audience: 'none',
  permission: null,
  auditAction: null,
  body: bytesBody(AuthRequest, 1_048_576),
  responses: { 200: jwt },
  errors: [400, 401, 413],
});
