import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  artifactBytes,
  compressions,
  decompressors,
  fileOf,
  moduleArtifact,
  rootfsArtifact,
} from './test-data/sample.ts';
import { gather, noise, piecesOf, readAll, sha256 } from './test-data/streams.ts';
import { rootfsImage } from './default-provides.ts';
import { writeArtifact, writeArtifactFile } from './write-artifact.ts';

const directory = await mkdtemp(join(tmpdir(), 'write-artifact-'));
after(() => rm(directory, { recursive: true }));

const image = noise(9_500_001);

for (const compression of compressions) {
  test(`what is written with ${compression} is read back unchanged`, async () => {
    const bytes = await artifactBytes(rootfsArtifact(image), { compression });
    const { artifact, files } = await readAll(bytes, { decompressors });
    assert.equal(artifact.compression, compression);
    assert.equal(artifact.headerInfo.artifactName, 'release-2');
    assert.deepEqual(
      artifact.scripts.map(({ name }) => name),
      ['ArtifactInstall_Enter_00', 'ArtifactInstall_Leave_10'],
    );
    assert.equal(artifact.scripts[1]?.content.toString(), '#!/bin/sh\nexit 0\n');
    assert.deepEqual(artifact.payloads[0]?.provides, {
      'rootfs-image.checksum': sha256(image),
      'rootfs-image.version': 'release-2',
    });
    assert.deepEqual(artifact.payloads[0]?.clearsProvides, [
      'artifact_group',
      'rootfs_image_checksum',
      'rootfs-image.*',
    ]);
    assert.equal(files.length, 1);
    assert.ok(files[0]?.bytes.equals(image));
  });

  test(`any number of processors gives the same bytes with ${compression}`, async () => {
    const one = await artifactBytes(rootfsArtifact(image), { compression, parallel: 1 });
    const three = await artifactBytes(rootfsArtifact(image), { compression, parallel: 3 });
    assert.ok(one.equals(three));
  });
}

test('an artifact for an update module keeps all it says', async () => {
  const files = {
    'a.bin': noise(777),
    'empty.dat': Buffer.alloc(0),
    'exact.bin': noise(512),
    'z,_-.x': noise(3),
  };
  const { artifact, files: found } = await readAll(await artifactBytes(moduleArtifact(files)));
  assert.equal(artifact.headerInfo.artifactGroup, 'north');
  assert.deepEqual(artifact.headerInfo.depends, {
    deviceTypes: ['rpi4', 'rpi5'],
    artifactNames: ['app-6'],
    artifactGroups: ['north', 'south'],
  });
  const [payload] = artifact.payloads;
  assert.equal(payload?.type, 'directory');
  assert.deepEqual(payload.provides, {
    'app.url': 'http://x:80/y',
    'rootfs-image.directory.version': 'app-7',
  });
  assert.deepEqual(payload.depends, { base: ['1'], kernel: ['6.1', '6.6'] });
  assert.deepEqual(payload.clearsProvides, ['rootfs-image.directory.*']);
  assert.deepEqual(payload.metaData, { a: { list: [1, '<&>'] }, z: 1 });
  assert.equal(
    Buffer.from(payload.raw.metaData ?? []).toString(),
    '{"a":{"list":[1,"\\u003c\\u0026\\u003e"]},"z":1}',
  );
  assert.deepEqual(Object.fromEntries(found.map(({ name, bytes }) => [name, bytes])), files);
});

test('a bootstrap artifact has an empty payload', async () => {
  const payload = {
    type: null,
    provides: { 'rootfs-image.version': 'v0' },
    clearsProvides: ['rootfs-image.*'],
  };
  const description = { artifactName: 'factory', depends: { deviceTypes: ['rpi'] }, payload };
  const { artifact, files } = await readAll(await artifactBytes(description));
  assert.equal(artifact.payloads[0]?.type, null);
  assert.deepEqual(artifact.payloads[0]?.provides, { 'rootfs-image.version': 'v0' });
  assert.deepEqual(files, []);
});

test('version 2 can still be written', async () => {
  const { artifact } = await readAll(await artifactBytes({ ...rootfsArtifact(image), formatVersion: 2 }));
  assert.equal(artifact.version, 2);
  assert.equal(artifact.headerInfo.artifactName, 'release-2');
  assert.equal(artifact.payloads[0]?.provides, undefined);
});

test('an augmentation is laid over the payload', async () => {
  const augment = {
    type: 'directory',
    provides: { c: 'd' },
    depends: { a: 'b' },
    metaData: { extra: 'aug', a: { more: true } },
    files: [fileOf('delta.bin', noise(100, 9))],
  };
  const bytes = await artifactBytes({ ...moduleArtifact({ 'a.bin': noise(10) }), augment });
  const { artifact, files } = await readAll(bytes);
  const [payload] = artifact.payloads;
  assert.equal(payload?.provides?.['c'], 'd');
  assert.deepEqual(payload.depends, { a: ['b'], base: ['1'], kernel: ['6.1', '6.6'] });
  assert.deepEqual(payload.metaData, { a: { list: [1, '<&>'], more: true }, extra: 'aug', z: 1 });
  assert.deepEqual(
    files.map(({ name }) => name),
    ['a.bin', 'delta.bin'],
  );
});

test('neither time nor mode nor path of the inputs shows in the artifact', async () => {
  const written: Buffer[] = [];
  for (const [place, mode, time] of [
    ['one', 0o644, 1_700_000_000],
    ['two', 0o700, 1_000_000_000],
  ] as const) {
    const path = join(directory, place);
    await writeFile(path, image);
    await chmod(path, mode);
    await utimes(path, time, time);
    const payload = rootfsImage({ artifactName: 'r', image: { path, name: 'image' } });
    const out = join(directory, `${place}.mender`);
    await writeArtifactFile({ artifactName: 'r', depends: { deviceTypes: ['d'] }, payload }, out, {
      compression: 'gzip',
    });
    written.push(await readFile(out));
  }
  assert.ok(written[0] !== undefined && written[1] !== undefined);
  assert.ok(written[0].equals(written[1]));
});

test('all files bear the time that is asked for', async () => {
  const { files } = await readAll(await artifactBytes(rootfsArtifact(image), { modifiedAt: 1_234_567_890 }));
  assert.equal(files[0]?.modifiedAt, 1_234_567_890);
});

test('a stream and a file are the same artifact', async () => {
  const path = join(directory, 'same.mender');
  const { sizeBytes } = await writeArtifactFile(rootfsArtifact(image), path, { compression: 'zstd' });
  const streamed = await gather(writeArtifact(rootfsArtifact(image), { compression: 'zstd' }));
  const written = await readFile(path);
  assert.equal(sizeBytes, written.length);
  assert.ok(written.equals(streamed));
});

test('an image that changes while it is packed leaves nothing behind', async () => {
  const described = (source: Parameters<typeof rootfsImage>[0]['image']) => {
    return {
      artifactName: 'r',
      depends: { deviceTypes: ['d'] },
      payload: rootfsImage({ artifactName: 'r', image: source }),
    };
  };
  for (const length of [99, 101]) {
    const grown = { name: 'image', sizeBytes: 100, open: () => piecesOf(noise(length)) };
    const path = join(directory, 'changed.mender');
    await assert.rejects(writeArtifactFile(described(grown), path), {
      name: 'ArtifactError',
      code: 'unreadableInput',
    });
  }
  let opened = 0;
  const other = { name: 'image', sizeBytes: 100, open: () => piecesOf(noise(100, (opened += 1))) };
  await assert.rejects(artifactBytes(described(other), { compression: 'none' }), { code: 'unreadableInput' });
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.startsWith('changed')),
    [],
  );
});

test('what stands before the payload may turn out longer or shorter than the room left for it', async () => {
  const path = join(directory, 'moved.mender');
  for (const signatureBytes of [64, 256, 512, 4000]) {
    const signer = () => Promise.resolve(new Uint8Array(signatureBytes));
    const options = { compression: 'gzip', signer } as const;
    await writeArtifactFile(rootfsArtifact(image), path, options);
    const written = await readFile(path);
    assert.ok(written.equals(await gather(writeArtifact(rootfsArtifact(image), options))));
    assert.ok((await readAll(written)).files[0]?.bytes.equals(image));
  }
});

test('stopping in between leaves nothing behind', async () => {
  const stop = new AbortController();
  const source = {
    name: 'image',
    sizeBytes: image.length,
    open: async function* () {
      yield* piecesOf(image.subarray(0, 5_000_000));
      stop.abort(new Error('stopped'));
      yield* piecesOf(image.subarray(5_000_000));
    },
  };
  const payload = rootfsImage({ artifactName: 'r', image: source });
  const description = { artifactName: 'r', depends: { deviceTypes: ['d'] }, payload };
  const path = join(directory, 'stopped.mender');
  await assert.rejects(writeArtifactFile(description, path, { signal: stop.signal }), /stopped/);
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.startsWith('stopped')),
    [],
  );
});

const wrong = {
  'without a name': { artifactName: '' },
  'without device types': { depends: { deviceTypes: [] } },
  'with a line break in its name': { artifactName: 'a\nb' },
  'with a name over 256 bytes': { artifactName: 'ä'.repeat(129) },
  'with a wrong script name': { scripts: [{ name: 'run-me', content: Buffer.alloc(0) }] },
  'with a payload type that is a path': { payload: { type: '../evil', files: [] } },
  'with two files of one name': { payload: { type: 'm', files: [fileOf('a', image), fileOf('a', image)] } },
  'with a file name that is a path': { payload: { type: 'm', files: [fileOf('../a', image)] } },
  'with an empty payload that has a file': { payload: { type: null, files: [fileOf('a', image)] } },
  'of version 2 for an update module': { formatVersion: 2, payload: { type: 'm' } },
} as const;
for (const [what, change] of Object.entries(wrong)) {
  test(`an artifact ${what} is not written`, async () => {
    await assert.rejects(artifactBytes({ ...rootfsArtifact(image), ...change }), { name: 'ArtifactError' });
  });
}
