import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { readArtifact } from '@tandem/artifact';
import { ClientError, wordsOf } from '../client-error.ts';
import { checkArtifact } from '../deployment/check-artifact.ts';
import type { DeploymentNeeds } from '../deployment/deployment-needs.ts';
import { softwareInstalled } from '../provides-store/apply-provides.ts';
import { allProvides, type DeviceRecords, type DeviceStore } from '../provides-store/device-store.ts';

/**
 * Gives a device that has no artifact name yet the one its image was built with: from `bootstrap.mender` in the datastore, which is
 * taken as the image itself is, without a signature, and removed whatever comes of it; from `artifact_info`, as images of generation 3
 * have it; else `unknown`. The caller holds the update lock.
 */
export async function installBootstrapArtifact(
  needs: DeploymentNeeds,
  store: DeviceStore,
  signal: AbortSignal,
): Promise<void> {
  if ((await store.read())['artifact-name'] !== undefined) return;
  const { files, log } = needs.system;
  const path = join(needs.paths.datastore, 'bootstrap.mender');
  if ((await files.kind(path)) !== undefined) {
    try {
      await install(path, needs, store, signal);
    } catch (error) {
      signal.throwIfAborted();
      log('error', `Could not install the bootstrap artifact ${path}: ${wordsOf(error)}`);
    }
    await files.removeDurably(path);
  }
  if ((await store.read())['artifact-name'] !== undefined) return;
  await store.update({ 'artifact-name': 'unknown', ...(await artifactInfo(needs)) });
}

/** What the image says in lines `artifact_name=…` and `artifact_group=…` (client contract 1.1). */
async function artifactInfo({
  system,
  paths,
}: DeploymentNeeds): Promise<Pick<DeviceRecords, 'artifact-name' | 'artifact-group'>> {
  const bytes =
    paths.artifactInfo === undefined ? undefined : await system.files.read(paths.artifactInfo, 4096);
  const text = Buffer.from(bytes ?? '').toString();
  const valueOf = (key: string): string | undefined => new RegExp(`^${key}=(.*\\S)`, 'm').exec(text)?.[1];
  const [name, group] = [valueOf('artifact_name'), valueOf('artifact_group')];
  if (name === undefined) return {};
  return { 'artifact-name': name, ...(group === undefined ? {} : { 'artifact-group': group }) };
}

async function install(
  path: string,
  needs: DeploymentNeeds,
  store: DeviceStore,
  signal: AbortSignal,
): Promise<void> {
  const artifact = await readArtifact(createReadStream(path), { decompressors: needs.decompressors, signal });
  try {
    const records = await store.read();
    const device = { deviceType: await needs.deviceType(), provides: allProvides(records) };
    const payload = checkArtifact(artifact, device, undefined);
    if (payload.type !== null) {
      throw new ClientError(
        'artifactRefused',
        `a bootstrap artifact has an empty payload, this one is a ${payload.type}`,
      );
    }
    for await (const file of artifact.files()) for await (const _bytes of file.content);
    await store.update(
      softwareInstalled(records, {
        artifactName: artifact.headerInfo.artifactName,
        artifactGroup: artifact.headerInfo.artifactGroup,
        provides: payload.provides,
        clearsProvides: payload.clearsProvides,
      }),
    );
  } finally {
    await artifact.close();
  }
}
