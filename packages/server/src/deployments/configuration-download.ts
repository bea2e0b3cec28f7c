import { Readable } from 'node:stream';
import { downloadConfiguration } from '@tandem/api';
import type { Database } from '../database/open-database.ts';
import type { ConfigurationLinkClaims, ConfigurationLinks } from '../http/configuration-link.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import { configurationArtifact } from './configuration-artifact.ts';
import { configurationsOf } from './configuration-deployments.ts';
import { deploymentStore } from './deployment-store.ts';

/** Downloads of configurations by signed link (server contract 4.11). */
export function registerConfigurationDownload(
  register: RegisterRoute,
  { database, configurationLinks }: { database: Database; configurationLinks: ConfigurationLinks },
): void {
  register(downloadConfiguration, async ({ params, query, method }) => {
    const claims = {
      tenant: query.tenant_id ?? '',
      deploymentId: params.deployment_id,
      deviceType: params.device_type,
      deviceId: params.device_id,
    };
    assertGood(configurationLinks, claims, query['x-men-expire'], query['x-men-signature']);
    const { tenant, deploymentId, deviceType } = claims;
    const deployment = await deploymentStore.forTenant(tenant).get(database.read, deploymentId);
    const configuration = (await configurationsOf(database.read, tenant, [deploymentId])).get(deploymentId);
    if (deployment === undefined || configuration === undefined) {
      throw new ServerError('notFound', 'Deployment not found');
    }
    const { artifactName, created } = deployment;
    const artifact = await configurationArtifact({ artifactName, deviceType, configuration, created });
    return {
      status: 200,
      headers: {
        'content-length': String(artifact.length),
        'content-disposition': 'attachment; filename="artifact.mender"',
        'cache-control': 'private, no-transform',
      },
      body: method === 'HEAD' ? undefined : Readable.from([artifact]),
    };
  });
}

function assertGood(
  links: ConfigurationLinks,
  claims: ConfigurationLinkClaims,
  expire: string | undefined,
  signature: string | undefined,
): void {
  if (expire === undefined || signature === undefined) {
    throw new ServerError(
      'badRequest',
      'the link is incomplete: x-men-expire and x-men-signature are part of it',
    );
  }
  const verdict = links.verify(claims, expire, signature);
  if (verdict === 'expired') throw new ServerError('forbidden', 'URL expired');
  if (verdict === 'forged') throw new ServerError('forbidden', 'signature invalid');
}
