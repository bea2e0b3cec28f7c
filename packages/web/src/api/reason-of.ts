import { ApiError } from '@tandem/api';

/** The server's own words where it gave some. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.code === 'unreachable') return 'The server did not answer. Check the connection, then try again.';
  const stated = (error.body as { error?: unknown } | null | undefined)?.error;
  if (typeof stated === 'string' && stated !== '') return sentence(stated);
  return byStatus[error.status ?? 0] ?? sentence(error.message);
}

const byStatus: Readonly<Record<number, string>> = {
  401: 'The session has ended: sign in again.',
  403: 'You are not allowed to do this.',
  404: 'It is no longer there.',
  429: 'Too many attempts: wait a moment.',
  503: 'The server is being stopped or overloaded: try again.',
};

const sentence = (text: string): string => {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
};
