import { createHash } from 'node:crypto';

/** Numbers that look drawn by lot, and are the same whenever the seed is. */
export interface Chances {
  /** From 0 up to 1, without it. */
  readonly draw: () => number;
  readonly between: (range: readonly [number, number]) => number;
  readonly happens: (probability: number) => boolean;
}

/** Each name has numbers of its own, so that what one device draws changes nothing for another. */
export function chancesOf(seed: string, name: string): Chances {
  let state = createHash('sha256').update(`${seed}/${name}`).digest().readUInt32LE(0);
  // mulberry32: 32 bits of state are enough for what one device does.
  const draw = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    draw,
    between: ([least, most]) => least + draw() * Math.max(0, most - least),
    happens: (probability) => draw() < probability,
  };
}
