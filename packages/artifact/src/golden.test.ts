import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArtifactError, artifactErrorCodes } from './errors.ts';
import { nodeDecompressors } from './compression.ts';
import { parseVerificationKey } from './signature.ts';
import { badCases, goldenKey, goodBytes, goodCases } from './test-data/golden.ts';
import { readAll, sha256 } from './test-data/streams.ts';
import { xzDecompressor } from './xz.ts';

const decompressors = { ...nodeDecompressors, lzma: xzDecompressor };

function keysOf(path: string | null | undefined) {
  if (path === null || path === undefined) return {};
  return { verificationKeys: [parseVerificationKey(goldenKey(path.replace(/^.*\/|\.pem$/g, '')))] };
}

for (const { id, file, expect } of goodCases()) {
  test(`an artifact of the reference is read as it was meant: ${id}`, async () => {
    const { artifact, files } = await readAll(goodBytes(file), {
      ...keysOf(expect.verify_key),
      decompressors,
    });
    assert.equal(artifact.version, expect.version);
    assert.equal(artifact.signature, expect.signed ? 'verified' : 'unsigned');
    assert.equal(artifact.compression, expect.compression);
    assert.equal(artifact.headerInfo.artifactName, expect.artifact_name);
    assert.equal(artifact.headerInfo.artifactGroup ?? '', expect.provides_group ?? '');
    assert.deepEqual(artifact.headerInfo.depends.deviceTypes, expect.device_types);
    assert.deepEqual(artifact.headerInfo.depends.artifactNames ?? [], expect.depends_artifact_name ?? []);
    assert.deepEqual(artifact.headerInfo.depends.artifactGroups ?? [], expect.depends_group ?? []);
    assert.deepEqual(artifact.scripts.map(({ name }) => name).toSorted(), expect.scripts_in_order.toSorted());
    assert.equal(artifact.payloads.length, 1);
    const [expected] = expect.payloads;
    const [payload] = artifact.payloads;
    assert.ok(expected !== undefined && payload !== undefined);
    assert.equal(payload.type, expected.type);
    assert.deepEqual(payload.provides ?? {}, expected.provides);
    const depends = Object.entries(payload.depends ?? {}).map(([key, values]) => [key, values.join()]);
    assert.deepEqual(Object.fromEntries(depends), expected.depends);
    assert.deepEqual(payload.clearsProvides ?? [], expected.clears_provides);
    assert.deepEqual(payload.metaData ?? null, expected.meta_data);
    assert.deepEqual(
      files.map(({ name, sizeBytes, modifiedAt, mode, bytes }) => {
        return {
          name,
          size: sizeBytes,
          mtime: modifiedAt,
          mode: `0${mode.toString(8)}`,
          sha256: sha256(bytes),
        };
      }),
      expected.files,
    );
  });
}

for (const { id, must, why, verify_key: key, bytes } of badCases()) {
  if (must === 'accept') {
    test(`an unusual artifact is accepted: ${id} (${why})`, async () => {
      await readAll(bytes, { ...keysOf(key), decompressors });
    });
  } else {
    const verb = must === 'reject' ? 'is refused' : 'is read or refused, but never fails in any other way';
    test(`a bad artifact ${verb}: ${id} (${why})`, async () => {
      let fault: unknown;
      try {
        await readAll(bytes, { ...keysOf(key), decompressors });
      } catch (error) {
        fault = error;
      }
      if (must === 'either' && fault === undefined) return;
      assert.ok(
        fault instanceof ArtifactError,
        `it must end with an ArtifactError, not with ${String(fault)}`,
      );
      assert.ok(artifactErrorCodes.includes(fault.code));
      assert.ok(
        fault.member !== undefined || fault.offset !== undefined,
        `"${fault.message}" must name a place`,
      );
      assert.ok(!fault.message.includes('\n'), 'it is one line');
    });
  }
}

test('the corpora are there in full', () => {
  assert.equal(goodCases().length, 34);
  assert.equal(badCases().length, 229);
});
