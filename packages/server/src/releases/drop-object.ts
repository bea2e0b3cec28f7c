import type { Log } from '../log.ts';
import type { ObjectKey, ObjectStorage } from '../object-storage/object-storage.ts';

/**
 * Deletes an object that nothing refers to any more. Where the storage will not, it is left: what was asked for is done without it,
 * and `removeLeftovers` deletes it another day.
 */
export async function dropObject(storage: ObjectStorage, log: Log, key: ObjectKey): Promise<void> {
  try {
    await storage.delete(key);
  } catch (error) {
    log('warning', 'an object that is not needed any more could not be deleted; it will be later', {
      id: key.id,
      cause: error instanceof Error ? error.message : String(error),
    });
  }
}
