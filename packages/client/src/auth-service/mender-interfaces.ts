import type { InterfaceDescription } from '../d-bus/served-interfaces.ts';

/** An object on the system bus: the well-known name, the path and the one interface of it. */
export interface BusService {
  readonly name: string;
  readonly path: string;
  readonly interface: InterfaceDescription;
}

/** Tokens for every program of this device that talks to the server (client contract 7.4). */
export const authenticationService = {
  name: 'io.mender.AuthenticationManager',
  path: '/io/mender/AuthenticationManager',
  interface: {
    name: 'io.mender.Authentication1',
    methods: {
      GetJwtToken: { takes: {}, returns: { token: 's', server_url: 's' } },
      FetchJwtToken: { takes: {}, returns: { success: 'b' } },
    },
    signals: { JwtTokenStateChange: { token: 's', server_url: 's' } },
  },
} as const satisfies BusService;

/** Of the client of the 3.x years, beside the above and in the same process. */
export const updateService = {
  name: 'io.mender.UpdateManager',
  path: '/io/mender/UpdateManager',
  interface: {
    name: 'io.mender.Update1',
    methods: {
      SetUpdateControlMap: { takes: { update_control_map: 's' }, returns: { refresh_timeout: 'i' } },
    },
    signals: {},
  },
} as const satisfies BusService;
