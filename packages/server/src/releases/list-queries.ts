import { ServerError } from '../server-error.ts';
import type { TextMatch } from './artifact-store.ts';

/** Part of a text, whatever its case; an empty filter is none. */
export const containing = (text: string | undefined): TextMatch | undefined =>
  text === undefined || text === '' ? undefined : { kind: 'contains', text };

/** Exact, or a prefix with `*` at the end; `\*` is a star (server contract 4.2). Undefined when a star stands elsewhere. */
export function exactOrPrefix(pattern: string): TextMatch | undefined {
  const parts = /^((?:[^*\\]|\\[\s\S])*)(\*?)$/.exec(pattern);
  if (parts === null) return undefined;
  const text = (parts[1] ?? '').replaceAll('\\*', '*');
  return parts[2] === '*' ? { kind: 'prefix', text } : { kind: 'equals', text };
}

export interface Order<By extends string> {
  readonly by: By;
  readonly direction: 'asc' | 'desc';
}

/** `modified:desc` and the like; undefined for anything else. */
export function readOrder<By extends string>(
  sort: string | undefined,
  allowed: readonly By[],
): Order<By> | undefined {
  const [, name, direction] = /^([a-z_]+):(asc|desc)$/.exec(sort ?? '') ?? [];
  const by = allowed.find((one) => one === name);
  return by === undefined ? undefined : { by, direction: direction === 'desc' ? 'desc' : 'asc' };
}

export const invalidFilter = (what: string) => new ServerError('badRequest', `invalid filter: ${what}`);
