import { ServerError } from '../server-error.ts';

/** Bounds of what people write on releases (server contract 4.3, 13). */
export const maxNotesBytes = 1024;
export const maxTagLength = 1024;
export const maxTagsPerRelease = 20;
export const maxTagsPerTenant = 100;

/** Throws `badRequest`. Line ends are refused at any place: one rule is easier to keep than the reference's. */
export function checkedNotes(notes: string): string {
  if (Buffer.byteLength(notes) > maxNotesBytes) {
    throw new ServerError('badRequest', `invalid request body: notes: at most ${maxNotesBytes} bytes`);
  }
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(notes)) {
    throw new ServerError(
      'badRequest',
      'invalid request body: notes: printable characters only, no line ends',
    );
  }
  return notes;
}

/** In lower case, each once. Throws `badRequest`. */
export function checkedTags(tags: readonly string[]): string[] {
  const unique = [...new Set(tags.map((tag) => tag.toLowerCase()))];
  if (unique.length > maxTagsPerRelease) {
    throw new ServerError('badRequest', `invalid request body: at most ${maxTagsPerRelease} tags a release`);
  }
  const bad = unique.find((tag) => tag.length > maxTagLength || !/^[a-z0-9\-_.]+$/.test(tag));
  if (bad !== undefined) {
    throw new ServerError(
      'badRequest',
      `invalid request body: tag ${JSON.stringify(bad.slice(0, 64))}: letters, digits, dash, underscore and dot, 1 to ${maxTagLength} of them`,
    );
  }
  return unique;
}
