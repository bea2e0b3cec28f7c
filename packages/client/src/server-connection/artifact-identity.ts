import type { IncomingMessage } from 'node:http';

/** By what an artifact on a server is known again: its length, and what the server says of its version. */
export interface ArtifactIdentity {
  readonly totalBytes: number;
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/** Of a server's answer; undefined when it does not say how long the artifact is. */
export function identityOf({ headers }: Pick<IncomingMessage, 'headers'>): ArtifactIdentity | undefined {
  const totalBytes = Number(headers['content-length'] ?? '0');
  if (!Number.isSafeInteger(totalBytes) || totalBytes <= 0) return undefined;
  return { totalBytes, ...versionOf({ headers }) };
}

/** What an answer says of the version of the whole, also when it gives only a part of it. */
export function versionOf({
  headers,
}: Pick<IncomingMessage, 'headers'>): Omit<ArtifactIdentity, 'totalBytes'> {
  return { etag: bounded(headers.etag), lastModified: bounded(headers['last-modified']) };
}

/**
 * What shows that an artifact is not the one that was begun, in words; undefined when nothing does. The ETag decides where both have
 * one, Last-Modified where one has not, and the length in any case.
 */
export function differenceOf(
  begun: ArtifactIdentity,
  found: Partial<ArtifactIdentity> | undefined,
): string | undefined {
  if (found?.totalBytes !== undefined && found.totalBytes !== begun.totalBytes)
    return `it has ${found.totalBytes} bytes now, not ${begun.totalBytes}`;
  if (begun.etag !== undefined && found?.etag !== undefined)
    return begun.etag === found.etag
      ? undefined
      : `it has changed (ETag ${found.etag}, begun as ${begun.etag})`;
  if (begun.lastModified === undefined || found?.lastModified === undefined) return undefined;
  return begun.lastModified === found.lastModified
    ? undefined
    : `it has changed (Last-Modified ${found.lastModified}, begun as ${begun.lastModified})`;
}

/** What a Content-Range header says; a total of `*` is undefined. */
export function rangeGiven({
  headers,
}: Pick<IncomingMessage, 'headers'>):
  { readonly first?: number; readonly last?: number; readonly totalBytes?: number } | undefined {
  const match = /^bytes (?:(\d{1,16})-(\d{1,16})|\*)\/(\d{1,16}|\*)$/.exec(headers['content-range'] ?? '');
  if (match === null) return undefined;
  const [, first, last, total] = match;
  return {
    ...(first === undefined || last === undefined ? {} : { first: Number(first), last: Number(last) }),
    ...(total === '*' ? {} : { totalBytes: Number(total) }),
  };
}

/** It is kept on disk and sent back: only what a header may hold, and not without end. */
const bounded = (header: string | undefined): string | undefined =>
  header !== undefined && header !== '' && header.length <= 1024 ? header : undefined;
