import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { ServerError } from '../server-error.ts';
import { readFileForm } from './file-form.ts';

/** The form of an upload, up to where the artifact begins (server contract 4.2). */
export interface ArtifactForm {
  readonly description: string;
  /** As announced; undefined when the sender did not say. */
  readonly sizeBytes: number | undefined;
  readonly artifactId: string | undefined;
  /** The artifact as it comes in; throws when the request breaks off. */
  readonly artifact: AsyncIterable<Uint8Array>;
}

const parts = {
  fields: ['description', 'size', 'artifact_id'],
  file: 'artifact',
  missing: 'request does not contain the artifact file',
} as const;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Throws `badRequest`; the caller then drains the body. */
export async function readArtifactForm(body: Readable, headers: IncomingHttpHeaders): Promise<ArtifactForm> {
  const { fields, content } = await readFileForm(body, headers, parts);
  const artifactId = fields.get('artifact_id')?.trim();
  const sizeBytes = announcedSize(fields.get('size'));
  if (artifactId !== undefined && artifactId !== '' && !uuid.test(artifactId)) {
    throw new ServerError('badRequest', 'artifact_id is not a valid UUID');
  }
  return {
    description: fields.get('description') ?? '',
    sizeBytes,
    artifactId: artifactId === undefined || artifactId === '' ? undefined : artifactId.toLowerCase(),
    artifact: content,
  };
}

/** In bytes; undefined when nothing was announced. Throws `badRequest`. */
export function announcedSize(text: string | undefined): number | undefined {
  const size = text?.trim();
  if (size !== undefined && !/^[0-9]{1,15}$/.test(size)) {
    throw new ServerError('badRequest', 'the size of the artifact is not a decimal number of bytes');
  }
  return size === undefined ? undefined : Number(size);
}
