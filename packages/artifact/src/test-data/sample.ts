import type { ArtifactDescription } from '../artifact-description.ts';
import { nodeCompressors, type Compressors } from '../compress-segments.ts';
import { blockingNodeDecompressors } from '../compression.ts';
import { moduleImage, rootfsImage } from '../default-provides.ts';
import { writeArtifact, type WriteOptions } from '../write-artifact.ts';
import { xzCompressor, xzDecompressor } from '../xz.ts';
import { gather, piecesOf } from './streams.ts';

export const compressors: Compressors = { ...nodeCompressors, lzma: xzCompressor };
/** Those of the programs that do nothing else; the server's are in the golden corpus. */
export const decompressors = { ...blockingNodeDecompressors, lzma: xzDecompressor };
export const compressions = ['none', 'gzip', 'lzma', 'zstd'] as const;

/** A payload file of these bytes. */
export function fileOf(name: string, bytes: Uint8Array) {
  return { name, sizeBytes: bytes.length, open: () => piecesOf(bytes, 65_521) };
}

export function rootfsArtifact(image: Uint8Array): ArtifactDescription {
  return {
    artifactName: 'release-2',
    depends: { deviceTypes: ['beaglebone'] },
    scripts: [
      { name: 'ArtifactInstall_Leave_10', content: Buffer.from('#!/bin/sh\nexit 0\n') },
      { name: 'ArtifactInstall_Enter_00', content: Buffer.from('#!/bin/sh\necho enter\n') },
    ],
    payload: rootfsImage({ artifactName: 'release-2', image: fileOf('rootfs.ext4', image) }),
  };
}

export function moduleArtifact(files: Readonly<Record<string, Uint8Array>>): ArtifactDescription {
  return {
    artifactName: 'app-7',
    artifactGroup: 'north',
    depends: { deviceTypes: ['rpi4', 'rpi5'], artifactNames: ['app-6'], artifactGroups: ['north', 'south'] },
    payload: moduleImage({
      artifactName: 'app-7',
      type: 'directory',
      files: Object.entries(files).map(([name, bytes]) => fileOf(name, bytes)),
      provides: { 'app.url': 'http://x:80/y' },
      depends: { kernel: ['6.1', '6.6'], base: '1' },
      metaData: { z: 1, a: { list: [1, '<&>'] } },
    }),
  };
}

export async function artifactBytes(
  description: ArtifactDescription,
  options: WriteOptions = {},
): Promise<Buffer> {
  // The tests are about the format; xz at its best would take most of their time.
  const level = options.compression === 'lzma' ? { level: 1 } : {};
  return gather(writeArtifact(description, { compression: 'gzip', compressors, ...level, ...options }));
}
