import { ArtifactError } from '@tandem/artifact';
import type { ObjectKey, ObjectStorage } from '../object-storage/object-storage.ts';
import { ServerError } from '../server-error.ts';
import type { RawFile } from './single-file-artifact.ts';

/** An object that an artifact is to be made of, as a file; undefined when there is none. */
export async function storedFile(storage: ObjectStorage, key: ObjectKey): Promise<RawFile | undefined> {
  const found = await storage.head(key);
  if (found === undefined) return undefined;
  const { sizeBytes } = found;
  return {
    sizeBytes,
    open: async function* () {
      const object = await storage.get(key);
      if (object === undefined) throw new Error('the stored file was removed meanwhile');
      if (sizeBytes === 0) return object.close();
      // A stream that nobody decodes yields bytes.
      yield* object.content(0, sizeBytes - 1) as AsyncIterable<Uint8Array>;
    },
  };
}

/** What another attempt to make an artifact of a stored file would not change. */
export const isFinal = (error: unknown): boolean =>
  error instanceof ArtifactError ||
  (error instanceof ServerError && ['badRequest', 'conflict', 'tooLarge'].includes(error.code));
