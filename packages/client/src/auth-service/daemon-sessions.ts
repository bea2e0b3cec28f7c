import { messageBus, type Bus } from '../d-bus/bus.ts';
import { claimName } from '../d-bus/bus-name.ts';
import { servedInterface } from '../d-bus/served-interfaces.ts';
import { unlessAborted, type SessionSource } from '../server-connection/session-source.ts';
import type { Clock } from '../system/system.ts';
import { askAuthService } from './ask-auth-service.ts';
import { authenticationService, updateService } from './mender-interfaces.ts';
import { handOutSession, serveAuthentication, type AuthenticationNeeds } from './serve-authentication.ts';

export interface DaemonSessionNeeds extends AuthenticationNeeds {
  readonly connect: (signal: AbortSignal) => Promise<Bus>;
  readonly clock: Pick<Clock, 'sleep'>;
}

/** Between two tries to find a bus where there is none, or one that does not want us. */
const busRetryMs = 300_000;

/**
 * Sessions of the update daemon, which does without mender-auth and gives way to it: whoever owns
 * `io.mender.AuthenticationManager` authenticates, and the others ask it. The daemon waits in the bus's queue for the name, so
 * that it is its own when no mender-auth runs, and mender-auth takes it from it when it starts. Without a bus the daemon
 * authenticates for itself alone.
 *
 * Works in the background until the signal aborts.
 */
export function daemonSessions(needs: DaemonSessionNeeds, signal: AbortSignal): SessionSource {
  const { session, clock, log, connect } = needs;
  const handouts = handOutSession(needs, signal);
  let asked: SessionSource | undefined;

  const stand = async (bus: Bus): Promise<void> => {
    let owns = false;
    serveAuthentication(bus, handouts, needs, () => owns, signal);
    bus.serve(updateService.path, updateObject);
    const service = await askAuthService(bus, signal);
    const change = (isOurs: boolean) => {
      log(
        'info',
        isOurs ? 'Authenticating for other programs, too' : 'mender-auth authenticates this device',
      );
      owns = isOurs;
      asked = isOurs ? undefined : service;
      const own = session.peek();
      if (!isOurs && own !== undefined) session.drop(own);
    };
    change(await claimName(bus, authenticationService.name, 'replaceable', change, signal));
    await claimName(bus, updateService.name, 'replaceable', () => undefined, signal);
  };

  let settled = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    settled = resolve;
  });
  const run = async (): Promise<void> => {
    for (let first = true; !signal.aborted; first = false) {
      try {
        const bus = await connect(signal);
        const close = () => {
          bus.close();
        };
        signal.addEventListener('abort', close, { once: true });
        try {
          await stand(bus);
          settled();
          throw await bus.ended;
        } finally {
          signal.removeEventListener('abort', close);
          bus.close();
        }
      } catch (error) {
        asked = undefined;
        settled();
        if (signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        log(first ? 'info' : 'debug', `Other programs cannot ask this one for tokens: ${reason}`);
      }
      await clock.sleep(busRetryMs, signal).catch(() => undefined);
    }
  };
  void run();

  return {
    current: async (asking) => {
      await unlessAborted(ready, asking);
      return await (asked ?? session).current(asking);
    },
    drop: (dropped) => {
      session.drop(dropped);
      asked?.drop(dropped);
    },
  };
}

/** For a short run: asks mender-auth where it runs, and nobody is given anything. */
export async function onceSessions(
  { session, connect, log }: Pick<DaemonSessionNeeds, 'session' | 'connect' | 'log'>,
  signal: AbortSignal,
): Promise<SessionSource> {
  try {
    const bus = await connect(signal);
    const body = [authenticationService.name];
    const [isThere] = await bus.call(
      { ...messageBus, member: 'NameHasOwner', signature: 's', body, returns: 'b' },
      signal,
    );
    if (isThere === true) return await askAuthService(bus, signal);
    bus.close();
  } catch (error) {
    signal.throwIfAborted();
    log('debug', `Not asking for mender-auth: ${error instanceof Error ? error.message : String(error)}`);
  }
  return session;
}

/** Where programs of the 3.x years look for it. They must learn that an update cannot be held so, and how it can. */
const updateObject = servedInterface(updateService.interface, {
  SetUpdateControlMap: () => ({
    errorName: 'org.freedesktop.DBus.Error.NotSupported',
    text: 'Update control maps are not supported. Hold an update with a state script that exits with 21.',
  }),
});
