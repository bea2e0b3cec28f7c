import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { readIdentityData } from './identity-data.ts';

describe('identity data', () => {
  // The first is the worked example of the server contract, 16.1.
  for (const [given, canonical] of [
    ['{"sn":"7","mac":"a<b","n":{"z":1,"a":2.50}}', '{"mac":"a\\u003cb","n":{"a":2.5,"z":1},"sn":"7"}'],
    ['{"b":1,"a":2,"10":3,"9":4}', '{"10":3,"9":4,"a":2,"b":1}'],
    ['{"a":1,"a":2}', '{"a":2}'],
    ['{"é":1,"z":2,"\u{1f600}":3,"\uffee":4}', '{"z":2,"é":1,"\uffee":4,"\u{1f600}":3}'],
    ['{"x":"&>\u2028"}', '{"x":"\\u0026\\u003e\\u2028"}'],
    ['{"x":[{"b":null,"a":true}]}', '{"x":[{"a":true,"b":null}]}'],
    ['{"x":1e21,"y":1e-7}', '{"x":1e+21,"y":1e-7}'],
  ] as const) {
    it(`${given} becomes ${canonical}`, () => {
      const { text, hash } = readIdentityData(given);
      assert.equal(text, canonical);
      assert.equal(hash, createHash('sha256').update(canonical).digest('hex'));
    });
  }

  it('refuses what is no object, and nesting without end', () => {
    for (const bad of ['', 'null', '[]', '"x"', '{', `{"a":${'['.repeat(100)}${']'.repeat(100)}}`]) {
      assert.throws(() => readIdentityData(bad), { code: 'badRequest' });
    }
  });
});
