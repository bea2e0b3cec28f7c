import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createHash } from 'node:crypto';
import { defaultTenant } from '../actor.ts';
import { rfc3339, type Clock } from '../clock.ts';
import { ServerError } from '../server-error.ts';
import type { NewUser, Users } from './users.ts';

export interface FirstAdministrator {
  /** Opens the door when there is no user yet: returns the token to show on the console, and nowhere else. */
  readonly open: () => Promise<{ token: string; until: string } | undefined>;
  /** Whether a token was shown that can still be redeemed. */
  readonly isAwaited: () => Promise<boolean>;
  /** Throws `forbidden` when the door is closed, `unauthorized` for a wrong token. Returns the user's id. */
  readonly redeem: (token: string, user: NewUser) => Promise<string>;
}

const validMs = 30 * 60_000;

/**
 * How the first user of a fresh server comes to be: whoever can read the console has the one-time token, which lives in memory
 * only. The first to redeem it wins; `user create` on the machine closes the door as well.
 */
export function firstAdministrator(users: Users, clock: Clock): FirstAdministrator {
  let offer: { readonly digest: Buffer; readonly until: number } | undefined;
  const isOpen = async (): Promise<boolean> =>
    offer !== undefined && clock() <= offer.until && (await users.isWithoutUsers(defaultTenant));
  return {
    isAwaited: isOpen,
    open: async () => {
      if (!(await users.isWithoutUsers(defaultTenant))) return undefined;
      const token = randomBytes(24).toString('base64url');
      offer = { digest: sha256(token), until: clock() + validMs };
      return { token, until: rfc3339(offer.until) };
    },
    redeem: async (token, user) => {
      const closed = () =>
        new ServerError(
          'forbidden',
          'the first administrator cannot be made (any more): see the console of the server',
        );
      if (offer === undefined || !(await isOpen())) throw closed();
      if (!timingSafeEqual(sha256(token), offer.digest))
        throw new ServerError('unauthorized', 'wrong one-time token');
      const id = await users.createFirst(defaultTenant, user);
      if (id === undefined) throw closed();
      offer = undefined;
      return id;
    },
  };
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
