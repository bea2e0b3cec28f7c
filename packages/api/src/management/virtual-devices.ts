import { Type, type Static } from 'typebox';
import { defineEndpoint, json } from '../endpoint.ts';

/** A device without hardware, as whoever runs the server offers it: the demo, and nothing that is shipped. */
export const VirtualDevice = Type.Object({
  name: Type.String(),
  identity: Type.Record(Type.String(), Type.String(), {
    description: 'what it will ask to be let in with',
  }),
});
export type VirtualDevice = Static<typeof VirtualDevice>;

export const addVirtualDevice = defineEndpoint({
  id: 'addVirtualDevice',
  method: 'POST',
  path: '/api/tandem/v1/virtual-devices',
  tag: 'server',
  audience: 'user',
  permission: 'devices.write',
  auditAction: 'device.add-virtual',
  summary: 'Switch a new virtual device on, where the server was given the means (the demo)',
  responses: { 201: json(VirtualDevice) },
  errors: [401, 403, 404, 409, 503],
});
