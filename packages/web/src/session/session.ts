import { useSyncExternalStore } from 'react';

/**
 * Who is signed in at this browser: the user token, kept in the browser's own store so that other tabs and a reload go on.
 * The content security policy lets no foreign script run that could read it; it is never part of an address.
 */
export interface Session {
  readonly token: string;
  readonly email: string;
}

/** `interrupted`: the server takes the token no more; what stands on the page waits until its person has signed in again. */
export type SessionState =
  | { readonly kind: 'none' }
  | { readonly kind: 'open'; readonly session: Session }
  | { readonly kind: 'interrupted'; readonly email: string };

const key = 'tandem.session';
const listeners = new Set<() => void>();
let current = stored();

export const readSession = (): Session | undefined => (current.kind === 'open' ? current.session : undefined);

export function startSession(session: Session): void {
  localStorage.setItem(key, JSON.stringify(session));
  tell({ kind: 'open', session });
}

/** Signed out: nothing of it stays, in other tabs neither. */
export function endSession(): void {
  localStorage.removeItem(key);
  tell({ kind: 'none' });
}

/** The server no longer takes the token. The stored one stays, so that a reload asks for the same person. */
export function interruptSession(): void {
  if (current.kind === 'open') tell({ kind: 'interrupted', email: current.session.email });
}

/** Stays the same object until it changes. */
export const useSessionState = (): SessionState => useSyncExternalStore(subscribe, () => current);

/** Of the one who is signed in, or whose session is interrupted. */
export const useEmail = (): string | undefined => emailOf(useSessionState());

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener('storage', fromOtherTab);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) removeEventListener('storage', fromOtherTab);
  };
}

const fromOtherTab = (event: StorageEvent): void => {
  if (event.key !== key) return;
  const next = stored();
  // Another person has signed in there: nothing of the one before may stay on this page.
  if (next.kind === 'open' && emailOf(current) !== next.session.email) location.reload();
  else tell(next);
};

const emailOf = (state: SessionState): string | undefined =>
  state.kind === 'open' ? state.session.email : state.kind === 'interrupted' ? state.email : undefined;

function tell(state: SessionState): void {
  current = state;
  for (const listener of listeners) listener();
}

function stored(): SessionState {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? 'null');
    return isSession(value) ? { kind: 'open', session: value } : { kind: 'none' };
  } catch {
    return { kind: 'none' };
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
