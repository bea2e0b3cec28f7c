import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { matchesPattern, softwareAfter } from './apply-provides.ts';

const stored = {
  'artifact-name': 'v1',
  'artifact-group': 'stable',
  'artifact-provides': { 'rootfs-image.version': '1', 'rootfs-image.checksum': 'aa', 'app.version': '7' },
};

describe('what a device provides after a good update', () => {
  // prettier-ignore
  const matrix = [
    { name: 'nothing said: all is wiped, the group too',
      provides: undefined, clears: undefined, group: undefined,
      expect: { name: 'v2', group: undefined, provides: {} } },
    { name: 'provides alone: they replace all',
      provides: { 'app.version': '8' }, clears: undefined, group: undefined,
      expect: { name: 'v2', group: undefined, provides: { 'app.version': '8' } } },
    { name: 'provides and clears: what matches goes, the rest is merged',
      provides: { 'rootfs-image.version': '2' }, clears: ['rootfs-image.*'], group: undefined,
      expect: { name: 'v2', group: 'stable', provides: { 'rootfs-image.version': '2', 'app.version': '7' } } },
    { name: 'clears alone: what matches goes, nothing comes',
      provides: undefined, clears: ['*.checksum'], group: undefined,
      expect: { name: 'v2', group: 'stable', provides: { 'rootfs-image.version': '1', 'app.version': '7' } } },
    { name: 'an empty list of clears clears nothing',
      provides: { x: '1' }, clears: [], group: undefined,
      expect: { name: 'v2', group: 'stable', provides: { ...stored['artifact-provides'], x: '1' } } },
    { name: 'clears of everything, by which old values must not survive',
      provides: undefined, clears: ['*'], group: undefined,
      expect: { name: 'v2', group: undefined, provides: {} } },
    { name: 'the artifact\'s own group counts whatever is cleared',
      provides: undefined, clears: undefined, group: 'beta',
      expect: { name: 'v2', group: 'beta', provides: {} } },
  ] as const;
  for (const row of matrix) {
    test(row.name, () => {
      const artifact = {
        artifactName: 'v2',
        artifactGroup: row.group,
        provides: row.provides,
        clearsProvides: row.clears,
      };
      assert.deepEqual(softwareAfter('noneFailed', stored, artifact), {
        'artifact-name': row.expect.name,
        'artifact-group': row.expect.group,
        'artifact-provides': row.expect.provides,
      });
    });
  }
});

describe('what a device provides after a failed update', () => {
  test('rolled back: as before', () => {
    assert.equal(softwareAfter('rollbackAttempted', stored, { artifactName: 'v2' }), undefined);
  });
  for (const outcome of ['failed', 'rollbackFailed'] as const) {
    test(`${outcome}: the name says so once, the provides stay`, () => {
      const after = softwareAfter(outcome, stored, { artifactName: 'v2', provides: { x: '1' } });
      assert.deepEqual(after, { ...stored, 'artifact-name': 'v2_INCONSISTENT' });
      const again = softwareAfter(outcome, stored, { artifactName: 'v2_INCONSISTENT' });
      assert.equal(again?.['artifact-name'], 'v2_INCONSISTENT');
    });
  }
});

describe('a pattern of clears_artifact_provides', () => {
  // prettier-ignore
  const rows = [
    ['rootfs-image.*',    'rootfs-image.version', true],
    ['rootfs-image.*',    'rootfs-image.',        true],
    ['rootfs-image.*',    'my-rootfs-image.x',    false],
    ['rootfs-image',      'rootfs-image.version', false],
    ['',                  '',                     true],
    ['',                  'x',                    false],
    ['*',                 'anything',             true],
    ['*.version',         'app.version',          true],
    ['*.version-of-it',   'x',                    false],
    ['a*b*c',             'a-b-c',                true],
    ['a*b*c',             'a-c-b',                false],
    ['a*a',               'a',                    false],
    ['*ab*ab',            'ab',                   false],
    ['a.*',               'axb',                  false],
  ] as const;
  for (const [pattern, key, expected] of rows) {
    test(`'${pattern}' ${expected ? 'covers' : 'does not cover'} '${key}'`, () => {
      assert.equal(matchesPattern(pattern, key), expected);
    });
  }
  test('agrees with a regular expression for any pattern and key', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 });
    fc.assert(
      fc.property(text, text, (pattern, key) => {
        const expression = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        assert.equal(matchesPattern(pattern, key), expression.test(key));
      }),
    );
  });
});
