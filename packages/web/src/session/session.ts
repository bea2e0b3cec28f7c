import { useSyncExternalStore } from 'react';

/**
 * Who is signed in at this browser: the user token, kept in the browser's own store so that other tabs and a reload go on.
 * The content security policy lets no foreign script run that could read it; it is never part of an address.
 */
export interface Session {
  readonly token: string;
  readonly email: string;
}

const key = 'tandem.session';
const listeners = new Set<() => void>();
let current = stored();

/** What `readSession` returns stays the same object until it changes. */
export const readSession = (): Session | undefined => current;

export function startSession(session: Session): void {
  localStorage.setItem(key, JSON.stringify(session));
  tell(session);
}

/** Also when the server no longer takes the token. */
export function endSession(): void {
  localStorage.removeItem(key);
  tell(undefined);
}

export const useSession = (): Session | undefined => useSyncExternalStore(subscribe, readSession);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener('storage', fromOtherTab);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) removeEventListener('storage', fromOtherTab);
  };
}

const fromOtherTab = (event: StorageEvent): void => {
  if (event.key === key) tell(stored());
};

function tell(session: Session | undefined): void {
  current = session;
  for (const listener of listeners) listener();
}

function stored(): Session | undefined {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? 'null');
    return isSession(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isSession(value: unknown): value is Session {
  return (
    typeof value === 'object' &&
    value !== null &&
    'token' in value &&
    typeof value.token === 'string' &&
    'email' in value &&
    typeof value.email === 'string'
  );
}
