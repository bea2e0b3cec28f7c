import { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { contentDisposition } from './content-disposition.ts';
import {
  artifactContentType,
  isKeyPart,
  ObjectStorageError,
  wrongSize,
  type DirectLinks,
  type ObjectKey,
  type ObjectStorage,
  type OpenObject,
  type StoredObject,
} from './object-storage.ts';
import { objectName, type S3Location } from './s3-location.ts';
import { abortUpload, storeInParts, unfinishedUploads } from './s3-multipart.ts';
import { presignedUrl, s3Requests, type S3Credentials, type S3Requests } from './s3-requests.ts';
import { elements, textOf } from './s3-xml.ts';

export interface S3World {
  readonly location: S3Location;
  readonly credentials: S3Credentials;
  readonly clock: Clock;
}

/** Objects as `PREFIX<tenant>/<id>` in a bucket that is there already. */
export function s3Storage({ location, credentials, clock }: S3World): ObjectStorage {
  const requests = s3Requests(location, credentials, clock);
  const head = async (key: ObjectKey): Promise<StoredObject | undefined> => {
    const headers = await requests.headers({ method: 'HEAD', name: objectName(location, key) });
    return headers && describe(headers);
  };
  const isOlder = (time: string | undefined, olderThanMs: number) =>
    clock() - Date.parse(time ?? '') > olderThanMs;

  return {
    put: async (key, source, { sizeBytes, signal } = {}) => {
      const name = objectName(location, key);
      if ((await head(key)) !== undefined) {
        throw new ObjectStorageError('exists', `storing object ${key.id}: there is one of this id`);
      }
      try {
        await storeInParts(requests, name, exactly(source, sizeBytes, signal), signal);
      } catch (error) {
        // It may be there though the answer was lost. Nobody else has this name.
        await requests.headers({ method: 'DELETE', name }).catch(() => undefined);
        throw error;
      }
      const stored = await head(key);
      if (stored === undefined)
        throw new ObjectStorageError('unreadable', `storing ${name}: it is not there`);
      return stored;
    },

    get: async (key) => {
      const stored = await head(key);
      return stored && openObject(requests, objectName(location, key), stored);
    },

    head,

    delete: async (key) => {
      await requests.headers({ method: 'DELETE', name: objectName(location, key) });
    },

    keys: async function* (olderThanMs, signal) {
      let position: Record<string, string> = {};
      for (;;) {
        const query = { 'list-type': '2', prefix: location.prefix, ...position };
        const page = await requests.text({ method: 'GET', query, signal });
        for (const entry of elements(page, 'Contents')) {
          const key = keyOf(location, textOf(entry, 'Key'));
          if (key !== undefined && isOlder(textOf(entry, 'LastModified'), olderThanMs)) yield key;
        }
        const next = textOf(page, 'NextContinuationToken');
        if (textOf(page, 'IsTruncated') !== 'true' || next === undefined) return;
        position = { 'continuation-token': next };
      }
    },

    removeUnfinished: async (olderThanMs, signal) => {
      let removed = 0;
      for await (const { name, uploadId, begun } of unfinishedUploads(requests, location.prefix, signal)) {
        if (keyOf(location, name) === undefined || !isOlder(begun, olderThanMs)) continue;
        await abortUpload(requests, name, uploadId);
        removed += 1;
      }
      return removed;
    },

    links: directLinks(location, credentials),
  };
}

const directLinks = (location: S3Location, credentials: S3Credentials): DirectLinks => ({
  download: (key, valid, fileName) => {
    const query = {
      'response-content-disposition': contentDisposition(fileName),
      'response-content-type': artifactContentType,
    };
    return presignedUrl(
      location,
      credentials,
      { method: 'GET', name: objectName(location, key), query },
      valid,
    );
  },
  upload: (key, valid) =>
    presignedUrl(location, credentials, { method: 'PUT', name: objectName(location, key), query: {} }, valid),
});

/** What `source` yields, unless the signal aborts it or it is not `sizeBytes` long. */
async function* exactly(
  source: AsyncIterable<Uint8Array>,
  sizeBytes: number | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let stored = 0;
  for await (const chunk of source) {
    signal?.throwIfAborted();
    stored += chunk.length;
    if (sizeBytes !== undefined && stored > sizeBytes) throw wrongSize(sizeBytes, stored);
    yield chunk;
  }
  signal?.throwIfAborted();
  if (sizeBytes !== undefined && stored !== sizeBytes) throw wrongSize(sizeBytes, stored);
}

function openObject(requests: S3Requests, name: string, stored: StoredObject): OpenObject {
  return {
    ...stored,
    close: async () => undefined,
    content: (first, last) =>
      Readable.from(slice(requests, name, stored, first, last), { objectMode: false }),
  };
}

/** Asks when the first byte is wanted. If-Match: never the end of another object behind the beginning of this one. */
async function* slice(
  requests: S3Requests,
  name: string,
  { etag, sizeBytes }: StoredObject,
  first: number,
  last: number,
): AsyncGenerator<Uint8Array> {
  if (last < first) return;
  const isWhole = first === 0 && last === sizeBytes - 1;
  const request = {
    method: 'GET',
    name,
    headers: { 'if-match': etag, ...(isWhole ? {} : { range: `bytes=${first}-${last}` }) },
  } as const;
  const response = await requests.ask(request);
  if (response.status !== (isWhole ? 200 : 206)) throw await requests.failure(request, response);
  let left = last - first + 1;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    left -= chunk.length;
    yield chunk;
  }
  if (left !== 0) throw new ObjectStorageError('unreadable', `reading ${name}: it ends ${left} bytes early`);
}

function describe(headers: Headers): StoredObject {
  const [length, etag] = [headers.get('content-length'), headers.get('etag')];
  if (length === null || etag === null) {
    throw new ObjectStorageError('unreachable', 'the storage tells no size or ETag: is it S3 that answers?');
  }
  return { sizeBytes: Number(length), etag };
}

/** The key of a name that we may have given; undefined for anything else in the bucket. */
function keyOf({ prefix }: S3Location, name: string | undefined): ObjectKey | undefined {
  if (name?.startsWith(prefix) !== true) return undefined;
  const [tenant = '', id = '', ...more] = name.slice(prefix.length).split('/');
  return more.length === 0 && isKeyPart(tenant) && isKeyPart(id) ? { tenant, id } : undefined;
}
