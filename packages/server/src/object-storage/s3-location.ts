import { assertKey, type ObjectKey } from './object-storage.ts';

/** Where in which bucket the objects lie, and how it is reached. */
export interface S3Location {
  readonly bucket: string;
  /** What every name in the bucket begins with: empty, or with a slash at its end. */
  readonly prefix: string;
  readonly region: string;
  /** What the server talks to. */
  readonly endpoint: string;
  /** What links begin with: devices may know the storage by another name. */
  readonly publicEndpoint: string;
  /** `path`: ENDPOINT/BUCKET/NAME, which every storage but Amazon's wants; `host`: BUCKET.ENDPOINT/NAME. */
  readonly addressing: 'path' | 'host';
}

export const s3LocationForm =
  's3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&addressing=path|host&public-endpoint=URL]';

const parameters = ['endpoint', 'region', 'addressing', 'public-endpoint'];

/** Reads `s3LocationForm`; undefined for anything else. Without an endpoint it is Amazon's, of the region. */
export function readS3Location(text: string): S3Location | undefined {
  const [, bucket, path = '', query = ''] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*)\/?(?:\?(.*))?$/.exec(
      text,
    ) ?? [];
  const given = new URLSearchParams(query);
  if (bucket === undefined || [...given.keys()].some((name) => !parameters.includes(name))) return undefined;
  const region = given.get('region') ?? 'us-east-1';
  const ownEndpoint = given.get('endpoint');
  const endpoint = webOrigin(ownEndpoint ?? `https://s3.${region}.amazonaws.com`);
  const publicEndpoint = webOrigin(given.get('public-endpoint') ?? endpoint ?? '');
  const addressing = given.get('addressing') ?? (ownEndpoint === null ? 'host' : 'path');
  if (endpoint === undefined || publicEndpoint === undefined || !/^[a-z0-9-]{1,64}$/.test(region))
    return undefined;
  if (addressing !== 'path' && addressing !== 'host') return undefined;
  const prefix = path === '' ? '' : `${path.slice(1)}/`;
  return { bucket, prefix, region, endpoint, publicEndpoint, addressing };
}

/** Of the bucket itself when no name is given. */
export function s3Url(
  { bucket, addressing, ...location }: S3Location,
  name = '',
  endpoint = location.endpoint,
): URL {
  const url = new URL(endpoint);
  if (addressing === 'host') url.hostname = `${bucket}.${url.hostname}`;
  url.pathname = addressing === 'host' ? `/${name}` : `/${bucket}${name === '' ? '' : `/${name}`}`;
  return url;
}

/** Throws ObjectStorageError `badKey`. */
export function objectName({ prefix }: S3Location, key: ObjectKey): string {
  assertKey(key);
  return `${prefix}${key.tenant}/${key.id}`;
}

function webOrigin(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '')
    return undefined;
  return url.pathname === '/' && url.search === '' && url.hash === '' ? url.origin : undefined;
}
