import { createHmac, timingSafeEqual } from 'node:crypto';
import { downloadConfiguration } from '@tandem/api';
import { rfc3339, type Clock } from '../clock.ts';
import type { ArtifactLink } from './artifact-link.ts';

/** Whose configuration a link is good for. */
export interface ConfigurationLinkClaims {
  readonly tenant: string;
  readonly deploymentId: string;
  readonly deviceType: string;
  readonly deviceId: string;
}

export type ConfigurationLinks = ReturnType<typeof configurationLinks>;

const validForMs = 900_000;

/**
 * Links to the artifacts of configuration deployments, in the reference's form (server contract 4.11). `key` outlives restarts, and
 * may be that of other links: what is signed begins differently. The URL is known once the server listens.
 */
export function configurationLinks(publicUrl: () => string, key: Uint8Array, clock: Clock) {
  const mac = (claims: ConfigurationLinkClaims, expire: string): Buffer =>
    createHmac('sha256', key)
      .update(`GET\n${path(claims, String)}\nx-men-expire=${expire}\ntenant_id=${claims.tenant}\n`)
      .digest();
  return {
    link: (claims: ConfigurationLinkClaims): ArtifactLink => {
      const expire = rfc3339(clock() + validForMs);
      const query = new URLSearchParams({
        tenant_id: claims.tenant,
        'x-men-expire': expire,
        'x-men-signature': mac(claims, expire).toString('base64url'),
      });
      const base = publicUrl().replace(/\/+$/, '');
      return { uri: `${base}${path(claims, encodeURIComponent)}?${query.toString()}`, expire, method: 'GET' };
    },
    /** Whether the link is ours and still good; compared in constant time. */
    verify: (
      claims: ConfigurationLinkClaims,
      expire: string,
      signature: string,
    ): 'valid' | 'expired' | 'forged' => {
      const given = Buffer.from(signature, 'base64url');
      const expected = mac(claims, expire);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'forged';
      return Date.parse(expire) > clock() ? 'valid' : 'expired';
    },
  };
}

const path = (
  { deploymentId, deviceType, deviceId }: ConfigurationLinkClaims,
  encode: (part: string) => string,
): string =>
  downloadConfiguration.path
    .replace('{deployment_id}', () => encode(deploymentId))
    .replace('{device_type}', () => encode(deviceType))
    .replace('{device_id}', () => encode(deviceId));
