import { sql } from 'kysely';
import { unbounded } from './actor.ts';
import type { Clock } from './clock.ts';
import { preparedQuery } from './database/prepared-query.ts';
import type { Reader } from './database/tables.ts';
import { standingOf, type Standing } from './deployments/nothing-to-do.ts';
import type { CheckInTimes } from './device-auth/check-in-times.ts';
import { tokenRefused } from './http/bearer-token.ts';
import type { Authenticate, Caller } from './http/register-route.ts';
import { whenThere } from './soon.ts';
import { tokenDigest, type VerifyToken } from './tokens/json-web-token.ts';
import type { SigningKeys } from './tokens/signing-keys.ts';

export interface DeviceCallerNeeds {
  readonly reader: Reader;
  readonly keys: SigningKeys;
  readonly verify: VerifyToken;
  readonly checkIns: Pick<CheckInTimes, 'note'>;
  readonly clock: Clock;
}

/**
 * Proves that a request comes from an accepted device, and notes that it was heard of. The token's state is read each time.
 *
 * A token is known by its digest: what we issued needs no other proof than that it is the same, which costs one look-up, also of the
 * fleet that comes all at once after a start. One that was issued before digests were kept, or before the newest of its device, is
 * proven by its signature. Either counts only as long as the key that signed it, its time and its row do.
 */
export const deviceCaller = ({ reader, keys, verify, checkIns, clock }: DeviceCallerNeeds): Authenticate => {
  const ours = new Set(keys.all.map(({ fingerprint }) => fingerprint));
  const counts = ({ signed_by: signedBy, digest_expires: expires }: TokenRow, now: number): boolean =>
    ours.has(signedBy ?? '') && (expires ?? 0) > now;
  const proven = async (token: string, now: number): Promise<TokenRow | undefined> => {
    const claims = verify(token, now / 1000);
    const tenant = claims?.['mender.tenant'];
    if (claims?.['mender.device'] !== true || tenant === undefined) return undefined;
    return (await tokenById(reader, { tenant, tokenId: claims.jti, deviceId: claims.sub }))[0];
  };
  const callerOf = (row: TokenRow | undefined, now: number): Caller => {
    if (row === undefined) throw tokenRefused();
    const { tenant, id: tokenId, device_id: deviceId } = row;
    checkIns.note(tenant, deviceId, now);
    return {
      tokenId,
      actor: { tenant, subject: { kind: 'device', id: deviceId }, scope: unbounded },
      standing: row,
    };
  };
  return (token) => {
    const now = clock();
    return whenThere(tokenByDigest(reader, { digest: tokenDigest(token) }), ([known]) =>
      known !== undefined && counts(known, now)
        ? callerOf(known, now)
        : proven(token, now).then((row) => callerOf(row, now)),
    );
  };
};

interface TokenRow extends Standing {
  readonly tenant: string;
  readonly id: string;
  readonly device_id: string;
  readonly digest_expires: number | null;
  readonly signed_by: string | null;
}

/**
 * One statement, since each costs as much again as all that is looked up in it: whether the token counts, and what the device needs to
 * know when it polls, as nearly all requests of devices do.
 *
 * INVARIANT: a token is there only as long as its auth set is accepted; whoever takes that away takes the token in the same unit of work
 * (`leaveAccepted`, the foreign keys).
 */
const tokensAndStanding = (reader: Reader) =>
  reader
    .selectFrom('device_tokens')
    .select(['tenant', 'id', 'device_id', 'digest_expires', 'signed_by'])
    .select(
      standingOf(reader, {
        tenant: sql.ref<string>('device_tokens.tenant'),
        deviceId: sql.ref<string>('device_tokens.device_id'),
      }),
    );

const tokenByDigest = preparedQuery<{ digest: string }, TokenRow>((reader, value) =>
  tokensAndStanding(reader).where('digest', '=', value('digest')),
);

const tokenById = preparedQuery<{ tenant: string; tokenId: string; deviceId: string }, TokenRow>(
  (reader, value) =>
    tokensAndStanding(reader)
      .where('tenant', '=', value('tenant'))
      .where('id', '=', value('tokenId'))
      .where('device_id', '=', value('deviceId')),
);
