import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import type { MemberBoundary } from './artifact.ts';
import type { ArtifactErrorCode } from './errors.ts';
import { limits, segmentBytes } from './limits.ts';
import { gather, noise, piecesOf } from './test-data/streams.ts';
import { unzstd, unzstdOnThisThread } from './unzstd.ts';

const stated = (content: Uint8Array, hasChecksum = true): Buffer =>
  zlib.zstdCompressSync(content, {
    pledgedSrcSize: content.length,
    params: { [zlib.constants.ZSTD_c_checksumFlag]: Number(hasChecksum) },
  });

const unstated = (content: Uint8Array): Buffer =>
  zlib.zstdCompressSync(content, { params: { [zlib.constants.ZSTD_c_contentSizeFlag]: 0 } });

/** A frame by hand: magic number, descriptor (4 bytes of size, window stated), window, size, empty blocks, one of raw bytes. */
function byHand(
  raw: Uint8Array,
  { statedBytes = raw.length, windowDescriptor = 0x70, emptyBlocks = 0, blockType = 0 } = {},
): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x80, windowDescriptor, 0, 0, 0, 0]);
  head.writeUInt32LE(statedBytes, 6);
  const lastBlockHead = Buffer.alloc(3);
  lastBlockHead.writeUIntLE(raw.length * 8 + blockType * 2 + 1, 0, 3);
  return Buffer.concat([head, Buffer.alloc(3 * emptyBlocks), lastBlockHead, raw]);
}

interface Frame {
  readonly bytes: Buffer;
  readonly content: Buffer;
  /** Its header says how much it holds. */
  readonly isStated: boolean;
}
const stating = (content: Buffer, bytes = stated(content)): Frame => ({ bytes, content, isStated: true });
const silent = (content: Buffer): Frame => ({ bytes: unstated(content), content, isStated: false });

const skippable = Buffer.concat([Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.from('aside')]);
const aside = stating(Buffer.alloc(0), skippable);
const [small, segment, large] = [noise(1000), noise(segmentBytes, 2), noise(segmentBytes + 1, 3)];

const cases: Readonly<Record<string, readonly Frame[]>> = {
  'a little content': [stating(small)],
  'no content': [stating(Buffer.alloc(0))],
  'no checksum': [stating(small, stated(small, false))],
  'a segment, and one that repeats a byte': [stating(segment), stating(Buffer.alloc(segmentBytes, 7))],
  'more than a segment': [stating(large)],
  'empty blocks': [stating(small, byHand(small, { emptyBlocks: 5 }))],
  'a frame far longer than its content': [stating(small, byHand(small, { emptyBlocks: 1_500_000 }))],
  'frames one does not look into between others': [aside, stating(small), aside, stating(segment)],
  'a frame that does not state its size between others': [stating(small), silent(segment), stating(small)],
};

for (const [name, decompress] of Object.entries({ unzstd, unzstdOnThisThread })) {
  for (const [what, frames] of Object.entries(cases)) {
    for (const pieceBytes of [1021, 300_000]) {
      test(`${what}, in pieces of ${pieceBytes} bytes (${name})`, async () => {
        const boundaries: MemberBoundary[] = [];
        const bytes = Buffer.concat(frames.map((frame) => frame.bytes));
        const content = await gather(
          decompress(piecesOf(bytes, pieceBytes), (boundary) => void boundaries.push(boundary)),
        );
        const expected = Buffer.concat(frames.map((frame) => frame.content));
        assert.ok(content.equals(expected), `${content.length} bytes of ${expected.length}`);

        const known: MemberBoundary[] = [];
        let [compressedBytes, contentBytes] = [0, 0];
        for (const frame of frames) {
          // Behind a frame that does not say how much it holds, nobody can tell.
          if (!frame.isStated) break;
          compressedBytes += frame.bytes.length;
          contentBytes += frame.content.length;
          known.push({ compressedBytes, contentBytes });
        }
        assert.deepEqual(boundaries, known);
      });
    }
  }

  test(`a small frame arrives byte by byte (${name})`, async () => {
    const bytes = Buffer.concat([skippable, stated(small), skippable]);
    assert.deepEqual(await gather(decompress(piecesOf(bytes, 1))), small);
  });

  const altered = (frame: Buffer, at: number, bits: number): Buffer => {
    const bytes = Buffer.from(frame);
    bytes.writeUInt8(bytes.readUInt8(at) ^ bits, at);
    return bytes;
  };
  const whole = stated(segment);
  const bad: Readonly<Record<string, readonly [Buffer, ArtifactErrorCode, RegExp]>> = {
    'what is no zstd': [
      Buffer.from('no zstd at all, and long enough'),
      'corruptCompression',
      /not zstd data/,
    ],
    'three bytes': [whole.subarray(0, 3), 'truncated', /too early/],
    'half a header': [whole.subarray(0, 6), 'truncated', /too early/],
    'half a frame': [whole.subarray(0, whole.length >> 1), 'truncated', /too early/],
    'a frame without its checksum': [whole.subarray(0, -4), 'truncated', /too early/],
    'half a skippable frame': [skippable.subarray(0, 10), 'truncated', /too early/],
    'a wrong checksum': [altered(whole, whole.length - 1, 1), 'corruptCompression', /damaged/],
    'less than stated': [byHand(small, { statedBytes: 1001 }), 'corruptCompression', /damaged/],
    'more than stated': [byHand(small, { statedBytes: 999 }), 'corruptCompression', /damaged/],
    'a block of no known kind': [byHand(small, { blockType: 3 }), 'corruptCompression', /no known kind/],
    'a window above the limit': [
      byHand(small, { windowDescriptor: 0x90 }),
      'tooLarge',
      new RegExp(`at most ${limits.zstdWindow}`),
    ],
    'something behind the last frame': [
      Buffer.concat([stated(small), Buffer.from('more')]),
      'corruptCompression',
      /not zstd data/,
    ],
  };
  for (const [what, [bytes, code, message]] of Object.entries(bad)) {
    test(`${what} is refused (${name})`, async () => {
      await assert.rejects(gather(decompress(piecesOf(bytes, 100_000))), { code, message });
    });
  }

  test(`the source is closed when the reader stops early (${name})`, async () => {
    let isClosed = false;
    const source = async function* () {
      try {
        yield* piecesOf(Buffer.concat([whole, whole]), 100_000);
      } finally {
        isClosed = true;
      }
    };
    for await (const _ of decompress(source())) break;
    assert.ok(isClosed);
  });
}
