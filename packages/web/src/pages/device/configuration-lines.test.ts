import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configurationLines, readConfigurationLines } from './configuration-lines.ts';

test('what is shown reads back as what it was', () => {
  const values = { timezone: 'Europe/Oslo', url: 'http://a/?b=c' };
  assert.deepEqual(readConfigurationLines(configurationLines(values)), { kind: 'read', values });
});

test('a line that is no setting is named, not dropped', () => {
  assert.deepEqual(readConfigurationLines('a=1\n\nnonsense'), {
    kind: 'faulty',
    fault: 'Line 3 is not name=value.',
  });
  assert.deepEqual(readConfigurationLines('a=1\na=2'), {
    kind: 'faulty',
    fault: 'Line 2: a is there twice.',
  });
});
