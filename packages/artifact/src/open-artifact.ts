import { open } from 'node:fs/promises';
import type { ArtifactDescription, PackedPayload, PayloadFileSource } from './artifact-description.ts';
import type { Artifact, PayloadArchivePlace, PayloadHeader, ReadOptions } from './artifact.ts';
import { ArtifactError } from './errors.ts';
import { copiesOf, fileContent, type FileRange } from './file-content.ts';
import { readArtifact } from './read-artifact.ts';
import { endOfArchive } from './tar/header.ts';

/** An artifact file that has been read to its end and found right, taken apart so that it can be written again with changes. */
export interface OpenedArtifact {
  readonly artifact: Artifact;
  /** What `writeArtifactFile` would write it from: the payload's archive is taken over as it stands. */
  readonly description: ArtifactDescription;
  /** The payload's files one by one, for when their archive is to be made anew, with another compression or another file. */
  readonly files: readonly PayloadFileSource[];
}

/**
 * Reads and checks a whole artifact file. The file must stay as it is until what was made from it is written. Throws `ArtifactError`, also
 * (invalidDescription) for an augmented artifact, as the reference does.
 *
 * @example
 * const { description } = await openArtifactFile('release-1.mender');
 * await writeArtifactFile({ ...description, artifactName: 'release-1a' }, 'release-1a.mender');
 */
export async function openArtifactFile(path: string, options: ReadOptions = {}): Promise<OpenedArtifact> {
  let place: PayloadArchivePlace | undefined;
  const onPayloadArchive = (archive: PayloadArchivePlace) => {
    place = archive;
  };
  const artifact = await readArtifact(contentOf(path), { ...options, onPayloadArchive });
  const sizes: { readonly name: string; readonly sizeBytes: number }[] = [];
  for await (const { name, sizeBytes, content } of artifact.files()) {
    for await (const piece of content) void piece;
    sizes.push({ name, sizeBytes });
  }
  const [payload] = artifact.payloads;
  if (payload === undefined || artifact.augmented === true) {
    throw new ArtifactError('invalidDescription', 'an augmented artifact cannot be changed; write it anew', {
      member: path,
    });
  }
  return {
    artifact,
    description: describe(artifact, payload, packedPayload(path, payload, place)),
    files: sizes.map(({ name, sizeBytes }) => {
      return { name, sizeBytes, open: () => contentOfPayloadFile(path, name, options) };
    }),
  };
}

function describe(artifact: Artifact, payload: PayloadHeader, packed: PackedPayload): ArtifactDescription {
  const { headerInfo, scripts, version } = artifact;
  const { type, provides, depends, clearsProvides, metaData } = payload;
  return {
    formatVersion: version,
    artifactName: headerInfo.artifactName,
    ...(headerInfo.artifactGroup === undefined ? {} : { artifactGroup: headerInfo.artifactGroup }),
    depends: headerInfo.depends,
    scripts,
    payload: {
      type,
      ...(provides === undefined ? {} : { provides }),
      ...(depends === undefined ? {} : { depends }),
      ...(clearsProvides === undefined ? {} : { clearsProvides }),
      ...(metaData === undefined ? {} : { metaData }),
      packed,
    },
  };
}

function packedPayload(
  path: string,
  payload: PayloadHeader,
  place: PayloadArchivePlace | undefined,
): PackedPayload {
  // A payload without files may have no archive; then an empty one is made.
  if (place === undefined) {
    return {
      compression: 'none',
      sizeBytes: endOfArchive.length,
      files: [],
      open: () => oneChunk(endOfArchive),
    };
  }
  const { compression, offset, sizeBytes } = place;
  const range = { start: offset, end: offset + sizeBytes };
  return { compression, sizeBytes, files: payload.files, open: () => contentOf(path, range) };
}

async function* contentOfPayloadFile(
  path: string,
  name: string,
  options: ReadOptions,
): AsyncIterable<Uint8Array> {
  const artifact = await readArtifact(contentOf(path), options);
  // Whoever takes a file out of the artifact may keep its pieces.
  for await (const file of artifact.files()) if (file.name === name) yield* copiesOf(file.content);
}

async function* contentOf(path: string, range: FileRange = {}): AsyncIterable<Uint8Array> {
  yield* fileContent(await open(path, 'r'), range);
}

async function* oneChunk(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
