/** What of an object a GET asks for (RFC 9110, section 14); positions are bytes, both ends included. */
export type Selection =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'unsatisfiable' };

/**
 * Reads `Range`, unless `If-Range` says it was meant for other bytes. Anything but one single byte range is answered with the
 * whole object, which RFC 9110 allows and which every client understands.
 */
export function selectBytes(
  headers: { readonly range?: string | undefined; readonly ifRange?: string | undefined },
  { sizeBytes, etag }: { readonly sizeBytes: number; readonly etag: string },
): Selection {
  const whole: Selection = { kind: 'whole' };
  // A date in If-Range never equals the tag: we give no Last-Modified that it could come from.
  if (headers.range === undefined || (headers.ifRange !== undefined && headers.ifRange !== etag))
    return whole;
  const [, from, to] = /^bytes=[ \t]*([0-9]{0,15})-([0-9]{0,15})[ \t]*$/i.exec(headers.range) ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return whole;
  if (from !== '' && to !== '' && Number(to) < Number(from)) return whole;

  const first = from === '' ? Math.max(0, sizeBytes - Number(to)) : Number(from);
  const last = from === '' || to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  return first > last ? { kind: 'unsatisfiable' } : { kind: 'part', first, last };
}
