import type { Readable } from 'node:stream';
import { downloadArtifact } from '@tandem/api';
import type { ArtifactLinks, DirectDownloads } from '../http/artifact-link.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import { selectBytes } from './byte-range.ts';
import { contentDisposition } from './content-disposition.ts';
import type { ObjectStorage } from './object-storage.ts';

export interface DownloadNeeds {
  readonly storage: ObjectStorage;
  readonly links: ArtifactLinks;
  /** What a browser saves it as, too; undefined when there is no such artifact (any more). */
  readonly storedObjectOf: DirectDownloads['storedObjectOf'];
}

/** Downloads by signed link (server contract 4.12): Range and If-Range, HEAD, always a length, never a token. */
export function registerDownloadRoutes(
  register: RegisterRoute,
  { storage, links, storedObjectOf }: DownloadNeeds,
): void {
  register(downloadArtifact, async ({ method, params, query, headers }) => {
    assertGood(links, params, query);
    const found = await storedObjectOf(params.tenant, params.artifact);
    const object = found && (await storage.get(found.key));
    if (found === undefined || object === undefined) {
      throw new ServerError('notFound', 'the artifact of this link has been deleted');
    }
    const { sizeBytes, etag } = object;
    const common = {
      'accept-ranges': 'bytes',
      etag,
      // Not for any cache in between: the link is the only permission there is.
      'cache-control': 'private, no-transform',
      'content-disposition': contentDisposition(found.fileName),
    };
    const selection = selectBytes({ range: headers.range, ifRange: oneHeader(headers['if-range']) }, object);
    if (selection.kind === 'unsatisfiable') {
      await object.close();
      throw new ServerError(
        'rangeNotSatisfiable',
        `the artifact has ${sizeBytes} bytes; ask for a range within`,
        {
          headers: { 'content-range': `bytes */${sizeBytes}` },
        },
      );
    }
    const { first, last } = selection.kind === 'part' ? selection : { first: 0, last: sizeBytes - 1 };
    const body = object.content(first, last);
    if (method === 'HEAD') close(body);
    return {
      status: selection.kind === 'part' ? 206 : 200,
      headers: {
        ...common,
        'content-length': String(last - first + 1),
        ...(selection.kind === 'part' ? { 'content-range': `bytes ${first}-${last}/${sizeBytes}` } : {}),
      },
      body,
    };
  });
}

function assertGood(
  links: ArtifactLinks,
  params: { readonly tenant: string; readonly artifact: string },
  { device, expire, signature }: { device?: string; expire?: string; signature?: string },
): void {
  if (expire === undefined || signature === undefined) {
    throw new ServerError('badRequest', 'the link is incomplete: expire and signature are part of it');
  }
  const claims = { tenant: params.tenant, artifactId: params.artifact, deviceId: device };
  switch (links.verify(claims, expire, signature)) {
    case 'valid':
      return;
    case 'expired':
      throw new ServerError('forbidden', 'URL expired');
    case 'forged':
      throw new ServerError('forbidden', 'signature invalid');
  }
}

const close = (body: Readable): void => void body.on('error', () => undefined).destroy();

const oneHeader = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];
