/** Whom a deployment is for, as it was asked for. Which devices that were is kept beside it, for good. */
export type DeploymentTarget =
  | { readonly kind: 'devices'; readonly deviceIds: 'listed' | 'all' }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'filter'; readonly filterId: string; readonly terms: readonly FilterTerm[] };

export interface FilterTerm {
  readonly scope: string;
  readonly attribute: string;
  readonly type: string;
  readonly value: unknown;
}

/** A target as the API shows it (server contract 4.4), with the ids of a list that are shown. */
export function shownFilter(target: DeploymentTarget, deviceIds: readonly string[]) {
  switch (target.kind) {
    case 'group':
      return anonymous({ scope: 'system', attribute: 'group', type: '$eq', value: target.group });
    case 'filter':
      return { id: target.filterId, name: '', terms: [...target.terms] };
    case 'devices':
      return anonymous(
        target.deviceIds === 'all'
          ? { scope: 'identity', attribute: 'status', type: '$eq', value: 'accepted' }
          : { scope: 'identity', attribute: 'id', type: '$in', value: [...deviceIds] },
      );
  }
}

const anonymous = (term: FilterTerm) => ({ id: '', name: '', terms: [term] });

/** One row of `deployment_targets`. */
export interface TargetChunk {
  readonly firstDeviceId: string;
  readonly lastDeviceId: string;
  /** `\n<id>\n<id>\n`: an id is in it exactly if it is, line ends included. Ids have no line ends. */
  readonly deviceIds: string;
}

/** So many ids a row: a poll reads one row a deployment, a deployment to a million devices writes two thousand. */
export const idsPerChunk = 500;

/** Each id once, sorted as the database compares text, by the bytes of it. */
export function sortedIds(deviceIds: Iterable<string>): readonly string[] {
  const unique = [...new Set(deviceIds)];
  return unique.every((id) => /^[\x20-\x7e]*$/.test(id))
    ? unique.toSorted((a, b) => (a < b ? -1 : 1))
    : unique.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Of ids that are sorted so. */
export function targetChunks(sorted: readonly string[]): TargetChunk[] {
  const chunks: TargetChunk[] = [];
  for (let start = 0; start < sorted.length; start += idsPerChunk) {
    const ids = sorted.slice(start, start + idsPerChunk);
    const [first, last] = [ids[0], ids.at(-1)];
    if (first === undefined || last === undefined) break;
    chunks.push({ firstDeviceId: first, lastDeviceId: last, deviceIds: `\n${ids.join('\n')}\n` });
  }
  return chunks;
}

export const chunkHolds = (deviceIds: string, deviceId: string): boolean =>
  deviceIds.includes(`\n${deviceId}\n`);

export const idsOfChunk = (deviceIds: string): string[] => deviceIds.slice(1, -1).split('\n');

/** What may be an id of a device: anything without control characters (server contract 1.6). */
export const isDeviceId = (id: string): boolean => id.length <= 256 && /^[^\p{Cc}]+$/u.test(id);
