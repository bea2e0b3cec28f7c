/**
 * For each device the newest deployment that may be for it: a table of 12 bytes a place, where an object a device would take a
 * hundred. Devices are known by 32 bits of their id, so that two may share a place; it then holds what is newest for either. So the
 * answer may be too new, and has to be looked up exactly then, but never too old.
 */
export interface TargetedDevices {
  /** Each id of a chunk (`\n<id>\n<id>\n`) is targeted by a deployment created at `created`, in milliseconds. */
  readonly add: (chunk: string, created: number) => void;
  /** -1 for a device that no deployment was added for. */
  readonly newestFor: (deviceId: string) => number;
}

const none = -1;
const lineEnd = 10;
const firstPlaces = 16;
/** Many small tables, by the highest bits: one that grows moves a few thousand devices, where all together would hold up the polls. */
const tableBits = 8;

export function targetedDevices(): TargetedDevices {
  const tables = Array.from({ length: 2 ** tableBits }, growingTable);
  return {
    add: (chunk, created) => {
      for (let start = 1; start < chunk.length;) {
        const key = keyOf(chunk, start);
        tables[key >>> (32 - tableBits)]?.put(key, created);
        start = chunk.indexOf('\n', start) + 1;
      }
    },
    newestFor: (deviceId) => {
      const key = keyOf(deviceId, 0);
      return tables[key >>> (32 - tableBits)]?.newest(key) ?? none;
    },
  };
}

/** Keys are never 0, which is a free place. */
function growingTable() {
  let keys = new Uint32Array(firstPlaces);
  let newest = new Float64Array(firstPlaces);
  let used = 0;

  /** Of this key, or the free one where it would be: collisions go to the next place. */
  const placeOf = (key: number): number => {
    const mask = keys.length - 1;
    let place = key & mask;
    while (keys[place] !== 0 && keys[place] !== key) place = (place + 1) & mask;
    return place;
  };
  const put = (key: number, created: number): void => {
    const place = placeOf(key);
    if (keys[place] === 0) {
      keys[place] = key;
      newest[place] = created;
      used += 1;
      // At most half full: looking for what is not there then takes two steps or three.
      if (used * 2 > keys.length) grow();
    } else if ((newest[place] ?? none) < created) newest[place] = created;
  };
  const grow = (): void => {
    const [oldKeys, oldNewest] = [keys, newest];
    keys = new Uint32Array(oldKeys.length * 2);
    newest = new Float64Array(oldKeys.length * 2);
    used = 0;
    for (const [place, key] of oldKeys.entries()) if (key !== 0) put(key, oldNewest[place] ?? none);
  };
  return {
    put,
    newest: (key: number): number => {
      const place = placeOf(key);
      return keys[place] === 0 ? none : (newest[place] ?? none);
    },
  };
}

/** FNV-1a of the id that begins there, mixed so that its low bits depend on all; never 0, which is a free place. */
function keyOf(text: string, start: number): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === lineEnd) break;
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0 || 1;
}
