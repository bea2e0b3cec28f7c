import { createHash } from 'node:crypto';
import { ArtifactError } from '../errors.ts';
import type { ReadOptions } from '../artifact.ts';
import { readArtifact } from '../read-artifact.ts';
import { piecesOf } from './streams.ts';

/* Makes wrong artifacts out of right ones, the same each time for a seed, and says what a reader must never do with them. */

/** Numbers that look random: the same sequence for the same seed (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

type Random = ReturnType<typeof randomFrom>;
type Mutation = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

const interestingNumbers = [
  '0',
  '00000000000',
  '77777777777',
  '-1',
  '00000001000',
  '99999999999',
  ' ',
  '\x80\0\0\0\0\0\0\0\0\0\x02',
  '\xff',
];
const interestingTexts = [
  '..',
  '/',
  'data/0001/x',
  'data/0000/',
  'manifest',
  'header.tar',
  'null',
  '[]',
  '{}',
  '"',
  '\n',
  '\0',
  '  ',
  'version',
  '💥',
];

/** A place where a tar header is likely: the outer members stand on blocks. */
function blockAt(bytes: Buffer, random: Random): number {
  return 512 * random(Math.max(1, Math.floor(bytes.length / 512)));
}

function fixChecksum(bytes: Buffer, at: number): void {
  if (at + 512 > bytes.length) return;
  bytes.fill(0x20, at + 148, at + 156);
  let sum = 0;
  for (let index = at; index < at + 512; index += 1) sum += bytes[index] ?? 0;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
}

/** Makes the manifest's checksums of version and header right again, so that faults in them are reached. */
function repairManifest(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length;) {
    const name = bytes.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
    if (name === '' || !Number.isSafeInteger(size) || size < 0) return;
    if (name === 'version' || /^header(-augment)?\.tar/.test(name)) {
      const sum = createHash('sha256')
        .update(bytes.subarray(at + 512, at + 512 + size))
        .digest('hex');
      const listed = bytes.indexOf(`  ${name}\n`);
      if (listed >= 64) bytes.write(sum, listed - 64, 'latin1');
    }
    at += 512 + 512 * Math.ceil(size / 512);
  }
}

const mutations: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const at = random(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    return bytes;
  },
  function setByte(bytes, random) {
    bytes[random(bytes.length)] = [0, 1, 0x20, 0x7f, 0x80, 0xff, 0x0a, random(256)][random(8)] ?? 0;
    return bytes;
  },
  function cut(bytes, random) {
    return bytes.subarray(0, random(bytes.length));
  },
  function removePart(bytes, random) {
    const at = random(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(1024))]);
  },
  function removeBlock(bytes, random) {
    const at = blockAt(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 512 * (1 + random(3)))]);
  },
  function repeatBlock(bytes, random) {
    const at = blockAt(bytes, random);
    const to = blockAt(bytes, random);
    const part = bytes.subarray(at, at + 512 * (1 + random(3)));
    return Buffer.concat([bytes.subarray(0, to), part, bytes.subarray(to)]);
  },
  function partOfAnother(bytes, random, others) {
    const other = others[random(others.length)] ?? bytes;
    const at = blockAt(other, random);
    const to = blockAt(bytes, random);
    const part = other.subarray(at, at + 512 * (1 + random(4)));
    return Buffer.concat([bytes.subarray(0, to), part, bytes.subarray(to + part.length * random(2))]);
  },
  function tarField(bytes, random) {
    const at = blockAt(bytes, random);
    const [offset, length] = (
      [
        [0, 100],
        [100, 8],
        [124, 12],
        [136, 12],
        [156, 1],
        [257, 8],
        [345, 155],
      ] as const
    )[random(7)] ?? [0, 1];
    if (at + 512 > bytes.length) return bytes;
    const texts = random(2) === 0 ? interestingNumbers : interestingTexts;
    bytes.write(
      (texts[random(texts.length)] ?? '').padEnd(random(length), '\0'),
      at + offset,
      length,
      'latin1',
    );
    fixChecksum(bytes, at);
    return bytes;
  },
  function text(bytes, random) {
    const words = [
      '"type"',
      'artifact_',
      'rootfs',
      ':',
      ',',
      '{',
      '[',
      '"',
      'data/0000/',
      '\n',
      '  ',
      'mender',
      '3',
      'null',
    ];
    const at = bytes.indexOf(words[random(words.length)] ?? '', random(bytes.length));
    if (at < 0) return bytes;
    bytes.write(interestingTexts[random(interestingTexts.length)] ?? '', at);
    return bytes;
  },
];

/** One artifact with one to four faults. Three times out of four its checksums are made right again. */
export function mutate(original: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let count = 1 + random(4); count > 0 && bytes.length > 0; count -= 1) {
    bytes = Buffer.from(mutations[random(mutations.length)]?.(bytes, random, others) ?? bytes);
  }
  if (random(4) !== 0) repairManifest(bytes);
  return bytes;
}

/** Reads it all. Throws when the reader did what it must never do; else tells whether it accepted. */
export async function judge(bytes: Buffer, options: ReadOptions): Promise<'accepted' | 'refused'> {
  let manifest = '';
  const onManifest = (raw: Uint8Array) => {
    manifest = Buffer.from(raw).toString();
  };
  try {
    const artifact = await readArtifact(piecesOf(bytes, 4096), { ...options, onManifest });
    const found: string[] = [];
    for await (const { name, content } of artifact.files()) {
      const hash = createHash('sha256');
      for await (const piece of content) hash.update(piece);
      const sha256 = hash.digest('hex');
      const isListed = artifact.payloads[0]?.files.some(
        (file) => file.name === name && file.sha256 === sha256,
      );
      if (isListed !== true) throw new Error(`gave out ${name} with a checksum the manifest does not have`);
      found.push(`${sha256}  data/0000/${name}`);
      if (/[/\\]|^\.\.?$/.test(name)) throw new Error(`gave out a file called ${name}`);
    }
    if (artifact.scripts.some(({ name }) => /[/\\]/.test(name)))
      throw new Error('gave out a script that is a path');
    const listed = manifest.split('\n').filter((line) => line.includes('  data/'));
    // What an augmentation adds is listed in a manifest of its own.
    if (listed.some((line) => !found.includes(line)))
      throw new Error('accepted without a file the manifest lists');
    return 'accepted';
  } catch (error) {
    if (error instanceof ArtifactError) return 'refused';
    throw error;
  }
}
