import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Artifact } from './artifact.ts';
import { ByteReader } from './byte-reader.ts';
import { ArtifactError } from './errors.ts';
import { readArtifact } from './read-artifact.ts';
import { readTar } from './tar/read-tar.ts';
import { encodeTarHeader } from './tar/header.ts';
import {
  artifactBytes,
  compressions,
  decompressors,
  moduleArtifact,
  rootfsArtifact,
} from './test-data/sample.ts';
import { noise, piecesOf, readAll } from './test-data/streams.ts';

const image = noise(300_000);

/** A source that tells whether it was closed. */
function watched(bytes: Uint8Array, pieceBytes = 4096) {
  const state = { isClosed: false };
  async function* source() {
    try {
      yield* piecesOf(bytes, pieceBytes);
    } finally {
      state.isClosed = true;
    }
  }
  return { source: source(), state };
}

async function startsOfMembers(bytes: Uint8Array): Promise<readonly number[]> {
  const tar = readTar(new ByteReader(piecesOf(bytes)));
  const starts: number[] = [];
  for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) {
    starts.push(entry.headerOffset, entry.contentOffset);
  }
  return starts;
}

for (const compression of compressions) {
  test(`an artifact (${compression}) cut anywhere is refused as cut`, async () => {
    const bytes = await artifactBytes(rootfsArtifact(image), { compression });
    const starts = await startsOfMembers(bytes);
    const places = [...starts.flatMap((at) => [at - 1, at, at + 1]), bytes.length - 1024 - 512];
    for (const at of places.filter((place) => place >= 0)) {
      await assert.rejects(readAll(bytes.subarray(0, at), { decompressors }), (error) => {
        assert.ok(error instanceof ArtifactError, `cut at ${at}: ${String(error)}`);
        assert.ok(
          ['truncated', 'missingMember'].includes(error.code),
          `cut at ${at}: ${error.code} ${error.message}`,
        );
        return true;
      });
    }
  });

  test(`the source of an artifact (${compression}) is closed however its reading ends`, async () => {
    const bytes = await artifactBytes(rootfsArtifact(noise(9_000_000)), { compression });
    const openFiles = async (artifact: Artifact) => {
      for await (const file of artifact.files()) return file;
      return assert.fail('there is a file');
    };
    const ways: Record<string, (artifact: Artifact) => Promise<unknown>> = {
      'leaving the files': openFiles,
      'leaving a content': async (artifact) => {
        for await (const file of artifact.files()) for await (const piece of file.content) return piece;
        return undefined;
      },
      'reading to the end': async (artifact) => {
        for await (const file of artifact.files()) for await (const piece of file.content) void piece;
      },
      close: (artifact) => artifact.close(),
    };
    for (const [way, end] of Object.entries(ways)) {
      const { source, state } = watched(bytes, 100_000);
      await end(await readArtifact(source, { decompressors }));
      assert.ok(state.isClosed, way);
    }
  });
}

test('a file that is passed over is still checked', async () => {
  const bytes = await artifactBytes(moduleArtifact({ 'a.bin': image, 'b.bin': noise(10) }), {
    compression: 'none',
  });
  const at = bytes.indexOf(image.subarray(100, 200)) + 50;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const artifact = await readArtifact(piecesOf(bytes));
  await assert.rejects(
    async () => {
      for await (const file of artifact.files())
        assert.equal(file.name, 'a.bin', 'b.bin must not be given out');
    },
    { code: 'checksumMismatch', member: 'data/0000.tar: a.bin' },
  );
});

test('content never ends well before its checksum was found right', async () => {
  const bytes = await artifactBytes(rootfsArtifact(image), { compression: 'none' });
  const at = bytes.indexOf(image.subarray(299_900)) + 50;
  bytes[at] = (bytes[at] ?? 0) ^ 0x80;
  const artifact = await readArtifact(piecesOf(bytes));
  let endedWell = false;
  await assert.rejects(
    async () => {
      for await (const file of artifact.files()) {
        for await (const piece of file.content) void piece;
        endedWell = true;
      }
    },
    { code: 'checksumMismatch' },
  );
  assert.equal(endedWell, false);
});

test(
  'a reading that is stopped ends at once, also while its source says nothing',
  { timeout: 10_000 },
  async () => {
    const bytes = await artifactBytes(rootfsArtifact(noise(3_000_000)), { compression: 'gzip' });
    for (const silentFrom of [0, 100, 4000, 100_000]) {
      const stop = new AbortController();
      async function* silent(): AsyncIterable<Uint8Array> {
        yield* piecesOf(bytes.subarray(0, silentFrom), 1000);
        setImmediate(() => stop.abort(new Error('enough')));
        await new Promise(() => undefined);
      }
      const reading = async () => {
        const artifact = await readArtifact(silent(), { signal: stop.signal });
        for await (const file of artifact.files()) for await (const piece of file.content) void piece;
      };
      await assert.rejects(reading(), /enough/);
    }
  },
);

test('a fault of the source is told as it is', async () => {
  const bytes = await artifactBytes(rootfsArtifact(noise(3_000_000)), { compression: 'zstd' });
  async function* broken(): AsyncIterable<Uint8Array> {
    yield* piecesOf(bytes.subarray(0, 50_000));
    throw new Error('connection lost');
  }
  const artifact = await readArtifact(broken());
  await assert.rejects(
    async () => {
      for await (const file of artifact.files()) for await (const piece of file.content) void piece;
    },
    { message: 'connection lost' },
  );
});

test('an artifact that needs a codec this machine has not is refused by the name of the program', async () => {
  const bytes = await artifactBytes(rootfsArtifact(image), { compression: 'lzma' });
  await assert.rejects(readAll(bytes), { code: 'noDecompressor', message: /install the program xz/ });
});

test('a length is compared with its bound before anything is read', async () => {
  const version = Buffer.from('{"format":"mender","version":3}');
  const head = Buffer.concat([
    encodeTarHeader({ name: 'version', sizeBytes: version.length, mode: 0o600, modifiedAt: 0 }),
    version,
    Buffer.alloc(512 - version.length),
    encodeTarHeader({ name: 'manifest', sizeBytes: 2 ** 40, mode: 0o600, modifiedAt: 0 }),
  ]);
  let given = 0;
  async function* endless(): AsyncIterable<Uint8Array> {
    yield head;
    for (;;) {
      given += 1;
      yield Buffer.alloc(65_536, 'a');
    }
  }
  await assert.rejects(readArtifact(endless()), { code: 'tooLarge', member: 'manifest' });
  assert.ok(given < 3, 'nothing of it is gathered');
});

test('sizes over 8 GiB are told right', async () => {
  for (const sizeBytes of [2 ** 31, 2 ** 32, 2 ** 33 - 1, 2 ** 33, 2 ** 40 + 1]) {
    for (const reserve of [false, true]) {
      const header = encodeTarHeader({ name: 'big', sizeBytes, mode: 0o600, modifiedAt: 0 }, reserve);
      const entry = await readTar(new ByteReader(piecesOf(header))).next();
      assert.equal(entry?.sizeBytes, sizeBytes);
      assert.equal(entry.name, 'big');
    }
  }
});
