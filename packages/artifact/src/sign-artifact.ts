import { open } from 'node:fs/promises';
import type { ReadOptions } from './artifact.ts';
import { ByteReader } from './byte-reader.ts';
import { ArtifactError } from './errors.ts';
import { fileContent } from './file-content.ts';
import { limits } from './limits.ts';
import { writeOutputFile } from './output-file.ts';
import { readArtifact } from './read-artifact.ts';
import { encodeSignature, type Signer } from './signature.ts';
import { blockBytes, endOfArchive, paddingOf } from './tar/header.ts';
import { readTar, readWhole } from './tar/read-tar.ts';
import { tarEntry } from './tar/write-tar.ts';

export interface SignOptions extends Pick<ReadOptions, 'decompressors' | 'signal'> {
  readonly signer: Signer;
  /** Replace a signature that is there. */
  readonly force?: boolean;
  /** Time of the signature's entry, seconds since 1970. */
  readonly modifiedAt?: number;
}

/**
 * Puts a signature into an artifact: all else is copied byte by byte. The artifact is first read to its end and found right. `output` may be
 * the same file. Throws `ArtifactError`, alreadySigned among them.
 */
export async function signArtifactFile(path: string, output: string, options: SignOptions): Promise<void> {
  const { signer, force = false, modifiedAt = 0, ...readOptions } = options;
  const artifact = await readArtifact(contentOf(path, 0), readOptions);
  if (artifact.signature !== 'unsigned' && !force) {
    await artifact.close();
    const message = 'Artifact already signed, refusing to re-sign. Use force option to override';
    throw new ArtifactError('alreadySigned', message, { member: 'manifest.sig' });
  }
  for await (const file of artifact.files()) for await (const piece of file.content) void piece;

  const { manifest, manifestEnd, restBegin } = await findManifest(path);
  const signature = tarEntry('manifest.sig', encodeSignature(await signer(manifest)), 0o644, modifiedAt);
  await writeOutputFile(output, async (file) => {
    for await (const piece of contentOf(path, 0, manifestEnd)) await file.write(piece);
    await file.write(signature);
    let last: Uint8Array = endOfArchive;
    for await (const piece of contentOf(path, restBegin)) {
      await file.write(piece);
      last = Buffer.from(piece.subarray(-blockBytes));
    }
    // An artifact need not have had its end marked; one that goes on behind a signature should.
    if (last.some((byte) => byte !== 0)) await file.write(endOfArchive);
  });
}

interface ManifestPlace {
  readonly manifest: Uint8Array;
  /** Where the entry ends with its padding. */
  readonly manifestEnd: number;
  /** Where what follows it and an old signature begins. */
  readonly restBegin: number;
}

async function findManifest(path: string): Promise<ManifestPlace> {
  const source = new ByteReader(contentOf(path, 0));
  try {
    const tar = readTar(source);
    await tar.next();
    const entry = await tar.next();
    if (entry?.name !== 'manifest')
      throw new ArtifactError('missingMember', 'it is not there any more', { member: 'manifest' });
    const manifest = await readWhole(entry, limits.manifest, 'manifest');
    const manifestEnd = entry.contentOffset + entry.sizeBytes + paddingOf(entry.sizeBytes);
    const next = await tar.next();
    const isSignature = next?.name === 'manifest.sig';
    const restBegin = isSignature
      ? next.contentOffset + next.sizeBytes + paddingOf(next.sizeBytes)
      : manifestEnd;
    return { manifest, manifestEnd, restBegin };
  } finally {
    await source.close();
  }
}

async function* contentOf(path: string, start: number, end?: number): AsyncIterable<Uint8Array> {
  yield* fileContent(await open(path, 'r'), { start, ...(end === undefined ? {} : { end }) });
}
