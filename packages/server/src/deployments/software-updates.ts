import type { Configuration } from '@tandem/api';
import type { Decompressors } from '@tandem/artifact';
import type { Actor } from '../actor.ts';
import type { ArtifactLinks } from '../http/artifact-link.ts';
import type { ConfigurationLinks } from '../http/configuration-link.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import type { Log } from '../log.ts';
import { registerDownloadRoutes } from '../object-storage/download-routes.ts';
import type { ObjectStorage } from '../object-storage/object-storage.ts';
import { createArtifactGeneration, type ArtifactGenerationNeeds } from '../releases/artifact-generation.ts';
import { artifactImage, type StoredArtifact } from '../releases/artifact-image.ts';
import { registerArtifactRoutes } from '../releases/artifact-routes.ts';
import { artifactStore } from '../releases/artifact-store.ts';
import { createArtifacts, storedObjectOf } from '../releases/artifacts.ts';
import { createDirectUploads, type DirectUploadNeeds } from '../releases/direct-uploads.ts';
import { registerReleaseRoutes } from '../releases/release-routes.ts';
import { createReleases } from '../releases/releases.ts';
import { beginConfigurationDeployment } from './configuration-deployments.ts';
import { registerConfigurationDownload } from './configuration-download.ts';
import { registerDeploymentInsightRoutes } from './deployment-insight-routes.ts';
import { planDeployment, type DeploymentPlanNeeds } from './deployment-plan.ts';
import { createDeploymentReading, type DeploymentReadingNeeds } from './deployment-reading.ts';
import { registerDeploymentRoutes } from './deployment-routes.ts';
import { deploymentStore } from './deployment-store.ts';
import { createDeployments, type DeploymentNeeds } from './deployments.ts';
import { deviceDeploymentStore } from './device-deployment-store.ts';
import { createDeviceReports } from './device-reports.ts';
import { registerDeviceDeploymentRoutes } from './device-routes.ts';
import { nextUpdate, type DeployableArtifact } from './next-update.ts';

/** What releases and deployments together need of the server. */
export interface SoftwareUpdateNeeds
  extends
    Pick<DeploymentNeeds, 'acceptedDevices' | 'devicesInGroup' | 'groupOfDevice'>,
    Pick<DeploymentReadingNeeds, 'deviceByAttribute'>,
    Pick<DeploymentPlanNeeds, 'reportedTexts'>,
    Pick<ArtifactGenerationNeeds, 'generationRequested'>,
    Pick<DirectUploadNeeds, 'uploadCompleted'> {
  readonly database: Database;
  readonly storage: ObjectStorage;
  readonly links: ArtifactLinks;
  readonly configurationLinks: ConfigurationLinks;
  readonly clock: Clock;
  readonly log: Log;
  readonly decompressors: Decompressors;
  readonly requireSignature: boolean;
  readonly answerNextV2: boolean;
  readonly storageLimitBytes: number;
}

/**
 * Releases, deployments and downloads, each given what it needs of the others.
 */
export function createSoftwareUpdates(needs: SoftwareUpdateNeeds) {
  const artifacts = createArtifacts({
    ...needs,
    activeDeploymentsOf,
    isUsedInDeployment,
    artifactAdded,
    isWaiting: async (key) => (await generation.isWaiting(key)) || directUploads.isWaiting(key),
  });
  const generation = createArtifactGeneration({ ...needs, upload: artifacts.upload });
  const directUploads = createDirectUploads({ ...needs, upload: artifacts.upload });
  const releases = createReleases({ ...needs, activeDeploymentsOf });
  const deployments = createDeployments({ ...needs, artifactsNamed });
  const reading = createDeploymentReading({ ...needs, imagesOf });
  const reports = createDeviceReports(needs);
  const plan = planDeployment({ ...needs, artifactsNamed });
  const updates = nextUpdate({ ...needs, artifactsById });
  return {
    artifacts,
    releases,
    deployments,
    removeLeftovers: artifacts.removeLeftovers,
    generateArtifacts: generation.run,
    takeInDirectUploads: directUploads.run,
    finishAborts: deployments.finishAborts,
    deployConfiguration: async (
      tx: Transaction,
      actor: Actor,
      wanted: { readonly deviceId: string; readonly configuration: Configuration },
    ): Promise<string> => {
      const group = await needs.groupOfDevice(tx, actor, wanted.deviceId);
      return beginConfigurationDeployment(tx, actor, { ...wanted, group, now: needs.clock() });
    },
    registerRoutes: (register: RegisterRoute): void => {
      registerArtifactRoutes(register, artifacts, generation, directUploads);
      registerReleaseRoutes(register, releases);
      registerDeploymentRoutes(register, deployments, reading, reports);
      registerDeploymentInsightRoutes(register, plan, reading);
      registerDeviceDeploymentRoutes(register, { updates, reports, answerNextV2: needs.answerNextV2 });
      registerConfigurationDownload(register, needs);
      registerDownloadRoutes(register, {
        ...needs,
        storedObjectOf: (tenant, id) => storedObjectOf(needs.database.read, tenant, id),
      });
    },
  };
}

const activeDeploymentsOf = (reader: Reader, tenant: string, artifactIds: readonly string[]) =>
  deploymentStore.forTenant(tenant).activeUsing(reader, artifactIds);

const isUsedInDeployment = async (reader: Reader, tenant: string, artifactId: string): Promise<boolean> =>
  (await deploymentStore.forTenant(tenant).activeUsing(reader, [artifactId])).length > 0 ||
  deviceDeploymentStore.forTenant(tenant).isArtifactUsed(reader, artifactId);

const artifactAdded = (tx: Transaction, tenant: string, artifact: { id: string; name: string }) =>
  deploymentStore.forTenant(tenant).addArtifactToUnfinished(tx, artifact);

const artifactsNamed = async (reader: Reader, tenant: string, name: string) =>
  (await artifactStore.forTenant(tenant).named(reader, [name])).map(deployable);

const artifactsById = async (reader: Reader, tenant: string, ids: readonly string[]) =>
  (await artifactStore.forTenant(tenant).getMany(reader, ids)).map(deployable);

const imagesOf = async (reader: Reader, actor: Actor, ids: readonly string[]) =>
  new Map(
    (await artifactStore.seenBy(actor).getMany(reader, ids)).map((one) => [one.id, artifactImage(one)]),
  );

const deployable = ({ id, sizeBytes, facts }: StoredArtifact): DeployableArtifact => ({
  id,
  sizeBytes,
  name: facts.name,
  deviceTypes: facts.deviceTypes,
  depends: facts.depends,
});
