import type { Session } from './authenticate.ts';

/** Where requests get the address of a server that accepts this device, and the token it gave. */
export interface SessionSource {
  /** The session there is, or a new one. Throws `ClientError` when there can be none, or the signal's reason. */
  current(signal: AbortSignal): Promise<Session>;
  /** This session is of no use any more: the next `current` gives another. Does nothing when there is a newer one. */
  drop(session: Session): void;
}

/** A session kept in memory, as long as it is of use, for all who need one. */
export interface KeptSession extends SessionSource {
  /** What there is now, without asking anyone. */
  peek(): Session | undefined;
  /** A new session, whether or not there is one; whoever asks while an attempt is under way shares it. */
  renew(signal: AbortSignal): Promise<Session>;
  /** Called after each change: with the new session, or without when it was dropped or could not be had. */
  onChange(listener: (session: Session | undefined) => void): void;
}

/** Keeps what `authenticate` gives. One attempt at a time, of whoever came first. */
export function keepSession(authenticate: (signal: AbortSignal) => Promise<Session>): KeptSession {
  const listeners: ((session: Session | undefined) => void)[] = [];
  let session: Session | undefined;
  let attempt: { readonly result: Promise<Session>; readonly signal: AbortSignal } | undefined;

  const change = (to: Session | undefined) => {
    session = to;
    for (const listener of listeners) listener(to);
  };
  const start = (signal: AbortSignal): Promise<Session> => {
    const result = authenticate(signal)
      .then(
        (made) => {
          change(made);
          return made;
        },
        (error: unknown) => {
          change(undefined);
          throw error;
        },
      )
      .finally(() => {
        attempt = undefined;
      });
    attempt = { result, signal };
    return result;
  };
  const renew = async (signal: AbortSignal): Promise<Session> => {
    for (;;) {
      signal.throwIfAborted();
      if (attempt === undefined) return await start(signal);
      const { result, signal: theirs } = attempt;
      try {
        return await unlessAborted(result, signal);
      } catch (error) {
        // Whoever began has given up; that is no reason for others to.
        if (signal.aborted || !theirs.aborted) throw error;
      }
    }
  };

  return {
    peek: () => session,
    renew,
    current: async (signal) => session ?? (await renew(signal)),
    drop: (dropped) => {
      if (session !== undefined && session.token === dropped.token) change(undefined);
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
  };
}

/** What the promise gives, or the signal's reason if that comes first; the promise goes on then. */
export async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      reject(asError(signal.reason));
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
