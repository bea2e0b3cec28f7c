import { createHmac, timingSafeEqual } from 'node:crypto';
import { rfc3339, type Clock } from '../clock.ts';
import type { DirectLinks, ObjectKey } from '../object-storage/object-storage.ts';
import { ServerError } from '../server-error.ts';

/** What a download link is good for. */
export interface ArtifactLinkClaims {
  readonly tenant: string;
  readonly artifactId: string;
  /** The device it was given to; undefined for a link made for a user. */
  readonly deviceId: string | undefined;
}

export interface ArtifactLink {
  readonly uri: string;
  /** RFC 3339. */
  readonly expire: string;
  readonly method: 'GET';
}

export interface ArtifactLinks {
  /**
   * The only place that builds download links. They lead to the storage where it can be had directly, else to the server; then
   * their host is that of `--public-url`, never that of a request. Throws `notFound` when the artifact is gone.
   */
  artifactLink(claims: ArtifactLinkClaims, validForSeconds: number): Promise<ArtifactLink>;
  /** Whether the link is ours and still good; compared in constant time. */
  verify(claims: ArtifactLinkClaims, expire: string, signature: string): 'valid' | 'expired' | 'forged';
}

/** What links past the server need. */
export interface DirectDownloads {
  readonly links: DirectLinks;
  readonly storedObjectOf: (
    tenant: string,
    artifactId: string,
  ) => Promise<{ readonly key: ObjectKey; readonly fileName: string } | undefined>;
}

/** Path of the links, with the tenant as the object store of the reference has it. */
export const artifactLinkPath = '/storage/{tenant}/{artifact}';

/**
 * `key` outlives restarts: a device may hold a link for a day. The URL is a function where it is known only once the server listens.
 */
export function artifactLinks(
  publicUrl: string | (() => string),
  key: Uint8Array,
  clock: Clock,
  direct?: DirectDownloads,
): ArtifactLinks {
  const base = typeof publicUrl === 'string' ? () => publicUrl : publicUrl;
  const mac = ({ tenant, artifactId, deviceId }: ArtifactLinkClaims, expire: string): Buffer =>
    createHmac('sha256', key)
      .update(JSON.stringify(['GET', tenant, artifactId, deviceId ?? '', expire]))
      .digest();
  return {
    artifactLink: async (claims, validForSeconds) => {
      if (direct !== undefined) return directLink(direct, claims, clock(), validForSeconds);
      // Whole seconds: what is signed is what is written into the link.
      const expire = String(Math.floor(clock() / 1000) + validForSeconds);
      const path = artifactLinkPath
        .replace('{tenant}', encodeURIComponent(claims.tenant))
        .replace('{artifact}', encodeURIComponent(claims.artifactId));
      const query = new URLSearchParams({
        ...(claims.deviceId === undefined ? {} : { device: claims.deviceId }),
        expire,
        signature: mac(claims, expire).toString('base64url'),
      });
      return {
        uri: `${base().replace(/\/+$/, '')}${path}?${query.toString()}`,
        expire: new Date(Number(expire) * 1000).toISOString(),
        method: 'GET',
      };
    },
    verify: (claims, expire, signature) => {
      const given = Buffer.from(signature, 'base64url');
      const expected = mac(claims, expire);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'forged';
      return Number(expire) * 1000 > clock() ? 'valid' : 'expired';
    },
  };
}

async function directLink(
  { links, storedObjectOf }: DirectDownloads,
  { tenant, artifactId }: ArtifactLinkClaims,
  now: number,
  validForSeconds: number,
): Promise<ArtifactLink> {
  const object = await storedObjectOf(tenant, artifactId);
  if (object === undefined) throw new ServerError('notFound', 'Resource not found');
  const valid = { from: now, forSeconds: validForSeconds };
  return {
    uri: await links.download(object.key, valid, object.fileName),
    expire: rfc3339(now + validForSeconds * 1000),
    method: 'GET',
  };
}
