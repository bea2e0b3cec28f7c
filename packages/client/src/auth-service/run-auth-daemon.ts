import { ClientError } from '../client-error.ts';
import { newBackoff, type BackoffLimits } from '../daemon/backoff.ts';
import type { Bus } from '../d-bus/bus.ts';
import { claimName } from '../d-bus/bus-name.ts';
import type { Clock } from '../system/system.ts';
import { authenticationService } from './mender-interfaces.ts';
import { handOutSession, serveAuthentication, type AuthenticationNeeds } from './serve-authentication.ts';

export interface AuthDaemonNeeds extends AuthenticationNeeds {
  readonly bus: Bus;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly retry: BackoffLimits;
}

/**
 * mender-auth as a daemon: owns `io.mender.AuthenticationManager`, authenticates at once and whenever it is asked to or the session
 * is lost, and again and again where that fails. Resolves when the signal aborts; throws `ClientError` `busFailed` when the name
 * is not to be had or the bus has gone, since then it is of no use to anyone.
 */
export async function runAuthDaemon(needs: AuthDaemonNeeds, signal: AbortSignal): Promise<void> {
  const { bus } = needs;
  const ending = new AbortController();
  const running = AbortSignal.any([signal, ending.signal]);
  let lost: Error | undefined;
  const end = (reason: Error) => {
    lost = reason;
    ending.abort(reason);
  };
  try {
    const handouts = handOutSession(needs, running);
    let owns = false;
    serveAuthentication(bus, handouts, needs, () => owns, running);
    owns = await claimName(
      bus,
      authenticationService.name,
      'insisting',
      (isOurs) => {
        if (!isOurs) end(new Error(`The bus took the name ${authenticationService.name} away.`));
      },
      running,
    );
    void bus.ended.then(end);
    await keepAuthenticated(needs, running);
  } catch (error) {
    if (signal.aborted) return;
    throw lost ?? error;
  } finally {
    ending.abort(new Error('mender-auth ends.'));
    bus.close();
  }
}

/** Until the signal aborts, then rejects with its reason. */
async function keepAuthenticated(
  { session, clock, log, retry }: AuthDaemonNeeds,
  signal: AbortSignal,
): Promise<never> {
  const backoff = newBackoff(retry);
  let lost = new AbortController();
  let had = false;
  session.onChange((now) => {
    if (had && now === undefined) lost.abort();
    had = now !== undefined;
  });
  for (;;) {
    lost = new AbortController();
    let waitMs = Infinity;
    if (session.peek() === undefined) {
      try {
        await session.renew(signal);
        backoff.reset();
        continue;
      } catch (error) {
        signal.throwIfAborted();
        const next = backoff.nextWaitMs();
        const asked = error instanceof ClientError ? error.retryAfterMs : undefined;
        waitMs = asked ?? (next === 'giveUp' ? retry.longestMs : next);
        const reason = error instanceof Error ? error.message : String(error);
        log('warning', `${reason} Trying again in ${Math.round(waitMs / 1000)} s.`);
      }
    }
    await clock.sleep(waitMs, AbortSignal.any([signal, lost.signal])).catch(() => undefined);
    signal.throwIfAborted();
  }
}
