import { oneAfterAnother } from '../database/data-directory-lock.ts';
import { keyPurposes, rotateSigningKey } from '../tokens/signing-keys.ts';
import { keysPath, startLockPath } from './data-directory.ts';

/** A new key for each kind of token; those signed by the keys before count until they expire. Returns what was made. */
export const rotateKeys = (dataDirectory: string): Promise<string[]> =>
  oneAfterAnother(startLockPath(dataDirectory), async () => {
    const made: string[] = [];
    for (const purpose of keyPurposes) {
      const { id } = await rotateSigningKey(keysPath(dataDirectory), purpose);
      made.push(`${purpose}.${id}.pem`);
    }
    return made;
  });
