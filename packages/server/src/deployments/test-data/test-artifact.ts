import assert from 'node:assert/strict';
import { nodeCompressors, writeArtifact, type CompressionName, type Signer } from '@tandem/artifact';
import { xzCompressor } from '@tandem/artifact/xz';
import type { TestServer } from './test-server.ts';

export interface TestArtifact {
  readonly name: string;
  readonly deviceTypes?: readonly string[];
  readonly payloadType?: string;
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Readonly<Record<string, readonly string[]>>;
  readonly metaData?: Readonly<Record<string, unknown>>;
  readonly artifactGroups?: readonly string[];
  /** Of the one payload file. */
  readonly content?: Uint8Array;
  readonly compression?: CompressionName;
  readonly signer?: Signer;
}

/** The bytes of a real artifact. */
export async function packArtifact(wanted: TestArtifact): Promise<Buffer> {
  const content = wanted.content ?? Buffer.from(`content of ${wanted.name}`);
  const pieces: Uint8Array[] = [];
  const description = {
    artifactName: wanted.name,
    depends: {
      deviceTypes: wanted.deviceTypes ?? ['test'],
      ...(wanted.artifactGroups === undefined ? {} : { artifactGroups: wanted.artifactGroups }),
    },
    payload: {
      type: wanted.payloadType ?? 'rootfs-image',
      ...(wanted.provides === undefined ? {} : { provides: wanted.provides }),
      ...(wanted.depends === undefined ? {} : { depends: wanted.depends }),
      ...(wanted.metaData === undefined ? {} : { metaData: wanted.metaData }),
      files: [
        {
          name: 'rootfs.ext4',
          sizeBytes: content.length,
          open: async function* () {
            yield content;
          },
        },
      ],
    },
  };
  const options = {
    compression: wanted.compression ?? 'none',
    compressors: { ...nodeCompressors, lzma: xzCompressor },
    modifiedAt: 1_700_000_000,
    ...(wanted.signer === undefined ? {} : { signer: wanted.signer }),
  } as const;
  for await (const piece of writeArtifact(description, options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A form as an uploading client sends it: in the given order, the artifact last. */
export function artifactForm(artifact: Uint8Array, fields: Readonly<Record<string, string>> = {}): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append('artifact', new Blob([Uint8Array.from(artifact)]), 'artifact.mender');
  return form;
}

export async function upload(server: TestServer, wanted: TestArtifact): Promise<string> {
  const answer = await server.request('POST', '/api/management/v1/deployments/artifacts', {
    as: 'user',
    body: artifactForm(await packArtifact(wanted)),
  });
  assert.equal(answer.status, 201, answer.bytes.toString());
  return answer.headers.get('location')?.split('/').at(-1) ?? '';
}
