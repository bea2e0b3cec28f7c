import type { Bus } from '../d-bus/bus.ts';
import { servedInterface, signatureOf } from '../d-bus/served-interfaces.ts';
import type { Session } from '../server-connection/authenticate.ts';
import type { OpenRequest } from '../server-connection/open-request.ts';
import type { KeptSession } from '../server-connection/session-source.ts';
import type { Log } from '../system/system.ts';
import { startForwarder, type Forwarder } from './forwarder.ts';
import { authenticationService } from './mender-interfaces.ts';

export interface AuthenticationNeeds {
  readonly session: KeptSession;
  readonly open: OpenRequest;
  readonly log: Log;
}

/** What other programs of this device are told: empty texts when there is no token. */
interface Handout {
  readonly token: string;
  readonly serverUrl: string;
}

const nothing: Handout = { token: '', serverUrl: '' };

/**
 * Token and address of the server for other programs: kept, forwarded and told of, until the signal aborts. The address is that
 * of a forwarder of the session's own; where none can listen, the server's.
 */
export function handOutSession({ session, open, log }: AuthenticationNeeds, signal: AbortSignal) {
  const listeners: ((handout: Handout) => void)[] = [];
  let handout = nothing;
  let forwarder: Forwarder | undefined;

  const forwarderFor = async (made: Session): Promise<Forwarder | undefined> => {
    try {
      return await startForwarder({
        serverUrl: made.serverUrl,
        open,
        log,
        onUnreachable: () => {
          session.drop(made);
        },
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log('warning', `No local forwarder, other programs talk to the server directly: ${reason}`);
      return undefined;
    }
  };
  const tell = (told: Handout) => {
    handout = told;
    for (const listener of listeners) listener(told);
  };
  const onChange = async (made: Session | undefined) => {
    // Old connections end: their token is of the past.
    forwarder?.close();
    forwarder = undefined;
    if (made === undefined) {
      tell(nothing);
      return;
    }
    handout = nothing;
    const started = await forwarderFor(made);
    if (signal.aborted || session.peek() !== made) {
      started?.close();
      return;
    }
    forwarder = started;
    tell({ token: made.token, serverUrl: started?.url ?? made.serverUrl });
  };
  session.onChange((made) => void onChange(made));
  signal.addEventListener('abort', () => forwarder?.close(), { once: true });

  return {
    current: (): Handout => handout,
    onChange: (listener: (handout: Handout) => void): void => {
      listeners.push(listener);
    },
  };
}

export type SessionHandout = ReturnType<typeof handOutSession>;

/**
 * Answers for `io.mender.Authentication1` on the bus (client contract 7.4), as long as the connection lasts. Says nothing while
 * the name is another's: the bus's policy keeps tokens from others by the name of who sends them.
 */
export function serveAuthentication(
  bus: Bus,
  handouts: SessionHandout,
  { session, log }: Pick<AuthenticationNeeds, 'session' | 'log'>,
  ownsName: () => boolean,
  signal: AbortSignal,
): void {
  const { path, interface: description } = authenticationService;
  const object = servedInterface(description, {
    GetJwtToken: () => {
      const { token, serverUrl } = ownsName() ? handouts.current() : nothing;
      return [token, serverUrl];
    },
    FetchJwtToken: () => {
      session.renew(signal).catch((error: unknown) => {
        if (!signal.aborted) log('warning', error instanceof Error ? error.message : String(error));
      });
      return [true];
    },
  });
  bus.serve(path, object);
  handouts.onChange(({ token, serverUrl }) => {
    if (!ownsName()) return;
    bus.emit(path, {
      interface: description.name,
      member: 'JwtTokenStateChange',
      signature: signatureOf(description.signals.JwtTokenStateChange),
      body: [token, serverUrl],
    });
  });
}
