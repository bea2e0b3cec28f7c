import { unbounded } from './actor.ts';
import type { Clock } from './clock.ts';
import { preparedQuery } from './database/prepared-query.ts';
import type { Reader } from './database/tables.ts';
import { standingOf, type Standing } from './deployments/nothing-to-do.ts';
import type { CheckInTimes } from './device-auth/check-in-times.ts';
import { countingToken } from './device-auth/device-store.ts';
import { tokenRefused } from './http/bearer-token.ts';
import type { Authenticate } from './http/register-route.ts';
import type { VerifyToken } from './tokens/json-web-token.ts';

export interface DeviceCallerNeeds {
  readonly reader: Reader;
  readonly verify: VerifyToken;
  readonly checkIns: Pick<CheckInTimes, 'note'>;
  readonly clock: Clock;
}

/** Proves that a request comes from an accepted device, and notes that it was heard of. The token's state is read each time. */
export const deviceCaller =
  ({ reader, verify, checkIns, clock }: DeviceCallerNeeds): Authenticate =>
  async (token) => {
    const now = clock();
    const claims = verify(token, now / 1000);
    const tenant = claims?.['mender.tenant'];
    if (claims?.['mender.device'] !== true || tenant === undefined) throw tokenRefused();
    const { jti: tokenId, sub: deviceId } = claims;
    const [standing] = await tokenAndStanding(reader, { tenant, tokenId, deviceId });
    if ((standing?.token ?? null) === null) throw tokenRefused();
    checkIns.note(tenant, deviceId, now);
    return {
      tokenId,
      actor: { tenant, subject: { kind: 'device', id: deviceId }, scope: unbounded },
      standing,
    };
  };

/**
 * One statement, since each costs as much again as all that is looked up in it: whether the token counts, and what the device needs to
 * know when it polls, as nearly all requests of devices do.
 */
const tokenAndStanding = preparedQuery<
  { tenant: string; tokenId: string; deviceId: string },
  Standing & { readonly token: string | null }
>((reader, value) =>
  reader.selectNoFrom([countingToken(reader, value).as('token'), ...standingOf(reader, value)]),
);
