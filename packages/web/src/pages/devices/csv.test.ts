import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvLine } from './csv.ts';

test('values with commas, quotes and line ends stay one value', () => {
  assert.equal(csvLine(['a', 'b,c', 'say "hi"', 'two\nlines']), 'a,"b,c","say ""hi""","two\nlines"\r\n');
});

test('no device can put a formula into the spreadsheet of whoever opens the export', () => {
  assert.equal(
    csvLine(['=HYPERLINK("x")', '@SUM(A1)', '-12.5', '+1']),
    `"'=HYPERLINK(""x"")",'@SUM(A1),-12.5,'+1\r\n`,
  );
});
