import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectName, readS3Location, s3Url, type S3Location } from './s3-location.ts';
import { elements, escaped, textOf } from './s3-xml.ts';

const key = { tenant: 't1', id: 'a-1' };

function location(text: string): S3Location {
  const found = readS3Location(text);
  assert.ok(found, text);
  return found;
}

describe('where a bucket is', () => {
  // prettier-ignore
  const cases = {
    's3://ota':                                                  'https://ota.s3.us-east-1.amazonaws.com/t1/a-1',
    's3://ota?region=eu-central-1':                              'https://ota.s3.eu-central-1.amazonaws.com/t1/a-1',
    's3://ota/fleet?endpoint=https://s3.example:9000':           'https://s3.example:9000/ota/fleet/t1/a-1',
    's3://ota/a/b/?endpoint=http://[::1]:9000':                  'http://[::1]:9000/ota/a/b/t1/a-1',
    's3://my.ota/x?endpoint=https://s3.example&addressing=host': 'https://my.ota.s3.example/x/t1/a-1',
    's3://ota?addressing=path':                                  'https://s3.us-east-1.amazonaws.com/ota/t1/a-1',
  };
  for (const [text, url] of Object.entries(cases)) {
    it(text, () => {
      const found = location(text);
      assert.equal(s3Url(found, objectName(found, key)).href, url);
    });
  }

  it('devices may know it by another name than the server', () => {
    const found = location('s3://ota?endpoint=http://10.0.0.1:9000&public-endpoint=https://files.example');
    assert.equal(s3Url(found, 'x').href, 'http://10.0.0.1:9000/ota/x');
    assert.equal(s3Url(found, 'x', found.publicEndpoint).href, 'https://files.example/ota/x');
  });

  it('is nowhere when it is not understood to the last word', () => {
    for (const text of [
      'https://ota',
      's3://',
      's3://Ota',
      's3://ota/../x',
      's3://ota/a b',
      's3://ota?endpoint=s3.example',
      's3://ota?endpoint=https://key:secret@s3.example',
      's3://ota?endpoint=https://s3.example/below',
      's3://ota?adressing=path',
      's3://ota?addressing=both',
      's3://ota?region=eu/1',
    ]) {
      assert.equal(readS3Location(text), undefined, text);
    }
  });
});

describe('an answer of a bucket', () => {
  const xml =
    '<List><Contents><Key>a&amp;b&#x41;&#66;</Key></Contents><Contents><Key>c</Key></Contents><Key/></List>';

  it('is read by the names of its elements', () => {
    assert.deepEqual(
      elements(xml, 'Contents').map((entry) => textOf(entry, 'Key')),
      ['a&bAB', 'c'],
    );
    assert.equal(textOf(xml, 'Size'), undefined);
    assert.equal(textOf(`<Key>${escaped('<&>"')}</Key>`, 'Key'), '<&>"');
  });

  it('expands nothing it does not know', () => {
    assert.equal(textOf('<Key>&file; &#xffffff;</Key>', 'Key'), '&file; &#xffffff;');
  });
});
