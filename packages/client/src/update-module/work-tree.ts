import { join } from 'node:path';
import type { Artifact, PayloadHeader } from '@tandem/artifact';
import type { Files } from '../system/system.ts';

/** What the work tree says of the device as it is now. */
export interface CurrentSoftware {
  readonly artifactName?: string | undefined;
  readonly artifactGroup?: string | undefined;
  readonly deviceType: string;
}

/** Where the tree of a payload is: on the data partition, since it must outlive reboots (client contract 13.2). */
export const workTreePath = (datastore: string, payloadIndex: number): string =>
  join(datastore, 'modules', 'v3', 'payloads', String(payloadIndex).padStart(4, '0'), 'tree');

/** Makes the tree anew; what an earlier update left is removed. Durable when resolved. */
export async function createWorkTree(
  files: Files,
  tree: string,
  artifact: Pick<Artifact, 'headerInfo' | 'rawHeaderInfo'>,
  payload: PayloadHeader,
  current: CurrentSoftware,
): Promise<void> {
  const { artifactName, artifactGroup } = artifact.headerInfo;
  await files.removeDurably(tree);
  for (const directory of ['header', 'files', 'tmp']) {
    await files.makeDirectoryDurably(join(tree, directory), 0o700);
  }
  const contents: Readonly<Record<string, string | Uint8Array>> = {
    version: '3\n',
    current_artifact_name: line(current.artifactName),
    current_artifact_group: line(current.artifactGroup),
    current_device_type: line(current.deviceType),
    'header/artifact_name': artifactName,
    'header/artifact_group': artifactGroup ?? '',
    'header/payload_type': payload.type ?? '',
    'header/header-info': artifact.rawHeaderInfo,
    'header/type-info': payload.raw.typeInfo,
    'header/meta-data': payload.raw.metaData ?? '',
  };
  for (const [name, content] of Object.entries(contents)) {
    await files.writeDurably(join(tree, name), content, 0o600);
  }
}

const line = (value: string | undefined): string => (value === undefined ? '' : `${value}\n`);
