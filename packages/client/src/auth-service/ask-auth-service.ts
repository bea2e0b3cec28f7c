import { ClientError, codeOf, wordsOf } from '../client-error.ts';
import type { Bus, MethodCall } from '../d-bus/bus.ts';
import { signatureOf } from '../d-bus/served-interfaces.ts';
import { textOf, type BusValue } from '../d-bus/values.ts';
import type { Session } from '../server-connection/authenticate.ts';
import { unlessAborted, type SessionSource } from '../server-connection/session-source.ts';
import { authenticationService } from './mender-interfaces.ts';

/** Longest wait for a token that was asked for (client contract 7.6). */
const tokenMs = 60_000;

const { name, path, interface: description } = authenticationService;

/**
 * Sessions from whoever owns `io.mender.AuthenticationManager` on the bus. A token that was dropped is never taken again: a
 * fresh one is fetched.
 */
export async function askAuthService(
  bus: Bus,
  signal: AbortSignal,
  tokenLimitMs = tokenMs,
): Promise<SessionSource> {
  let dropped: string | undefined;
  let change = nextChange();
  await bus.listen(
    {
      sender: name,
      path,
      interface: description.name,
      member: 'JwtTokenStateChange',
      signature: signatureOf(description.signals.JwtTokenStateChange),
    },
    () => {
      // What it says is not taken: anyone could have sent it. Only the bus's answer to a call is sure to be the service's.
      const changed = change;
      change = nextChange();
      changed.resolve();
    },
    signal,
  );

  const ask = async (
    member: keyof typeof description.methods,
    asking: AbortSignal,
  ): Promise<readonly BusValue[]> => {
    const returns = signatureOf(description.methods[member].returns);
    const call: MethodCall = { destination: name, path, interface: description.name, member, returns };
    try {
      return await bus.call(call, asking);
    } catch (error) {
      if (codeOf(error) !== 'busFailed') throw error;
      throw new ClientError('unreachable', `Cannot get a token from mender-auth: ${wordsOf(error)}`, {
        cause: error,
      });
    }
  };
  const present = async (asking: AbortSignal): Promise<Session | undefined> => {
    const [token, serverUrl] = (await ask('GetJwtToken', asking)).map(textOf);
    if (token === undefined || token === '' || token === dropped) return undefined;
    return { token, serverUrl: (serverUrl ?? '').replace(/\/$/, '') };
  };
  const waitForChange = async (changed: Promise<void>, asking: AbortSignal): Promise<void> => {
    const limit = AbortSignal.timeout(tokenLimitMs);
    try {
      await unlessAborted(changed, AbortSignal.any([asking, limit]));
    } catch (error) {
      if (asking.aborted || !limit.aborted) throw error;
      const reason = `it gave none within ${tokenLimitMs / 1000} s`;
      throw new ClientError('unreachable', `Cannot get a token from mender-auth: ${reason}; see its log.`);
    }
  };

  return {
    current: async (asking) => {
      const session = await present(asking);
      if (session !== undefined) return session;
      const changed = change.promise;
      await ask('FetchJwtToken', asking);
      await waitForChange(changed, asking);
      const fresh = await present(asking);
      if (fresh !== undefined) return fresh;
      throw new ClientError(
        'unauthorized',
        'mender-auth could not authenticate; its log says why. Accept this device on the server.',
      );
    },
    drop: ({ token }) => {
      dropped = token;
    },
  };
}

function nextChange(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
