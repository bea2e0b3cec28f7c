import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { decodeMessage, encodeMessage, longestMessageBytes, type BusMessage } from './message.ts';
import { completeTypes } from './signature.ts';
import { decodeValues, encodeValues, type BusValue } from './values.ts';

/** Said by Debian's dbus-send 1.14, as dbus-daemon passed it on: one argument of each type there is a word for. */
const everything = Buffer.from(
  '6c04010184000000020000006d00000001016f00040000002f612f620000000002017300160000006f72672e6578616d706c652e457665727974' +
    '68696e67000003017300040000005361696400000000080167001362796e716975787464736f766169617b73757d000000000000000007017300' +
    '040000003a312e3800000000010000000700feffffff0000fdffffffffffffff00000000fcffffffffffffffffffffffffffffff000000000000' +
    'e03f060000007a77c3b66c660000020000002f7800017300000001000000760000000c0000000100000002000000030000001c00000000000000' +
    '030000006f6e650001000000000000000300000074776f0002000000',
  'hex',
);

/** Sent by Debian's libdbus 1.14. */
const hello = Buffer.from(
  '6c01000100000000010000006e00000001016f00150000002f6f72672f667265656465736b746f702f4442757300000006017300140000006f72' +
    '672e667265656465736b746f702e444275730000000002017300140000006f72672e667265656465736b746f702e444275730000000003017300' +
    '0500000048656c6c6f000000',
  'hex',
);

describe('a message of D-Bus', () => {
  test('is read as libdbus meant it, every type of value', () => {
    const read = decodeMessage(everything);
    assert.equal(read?.length, everything.length);
    assert.deepEqual(read.message, {
      type: 'signal',
      serial: 2,
      noReplyExpected: true,
      path: '/a/b',
      interface: 'org.example.Everything',
      member: 'Said',
      sender: ':1.8',
      signature: 'bynqiuxtdsovaia{su}',
      body: [
        true,
        7,
        -2,
        65535,
        -3,
        4294967295,
        -4n,
        18446744073709551615n,
        0.5,
        'zwölf',
        '/x',
        { signature: 's', value: 'v' },
        [1, 2, 3],
        [
          ['one', 1],
          ['two', 2],
        ],
      ],
    });
    assert.equal(decodeMessage(hello)?.message.member, 'Hello');
  });

  test('is written as libdbus would, but for the order of the header', () => {
    for (const bytes of [everything, hello]) {
      const message = decodeMessage(bytes)?.message ?? assert.fail('it is whole');
      const written = encodeMessage(message);
      assert.equal(written.length, bytes.length);
      assert.deepEqual(decodeMessage(written)?.message, message);
    }
  });

  test('is read in the other byte order', () => {
    // The same call with the header of a big-endian machine: path /a, member B, no body.
    const header =
      '42010001 00000000 00000001 0000001a 01016f00 00000002 2f610000 00000000 03017300 00000001 42000000 00000000';
    assert.deepEqual(decodeMessage(Buffer.from(header.replaceAll(' ', ''), 'hex'))?.message, {
      type: 'methodCall',
      serial: 1,
      noReplyExpected: false,
      path: '/a',
      member: 'B',
      signature: '',
      body: [],
    });
  });

  test('is waited for until it is whole, and the next begins where it ends', () => {
    for (let length = 0; length < hello.length; length += 1) {
      assert.equal(decodeMessage(hello.subarray(0, length)), undefined);
    }
    assert.equal(decodeMessage(Buffer.concat([hello, everything]))?.length, hello.length);
  });

  test('is refused by its first bytes when it would be too long', () => {
    const head = Buffer.from(hello.subarray(0, 16));
    head.writeUInt32LE(longestMessageBytes, 4);
    assert.throws(() => decodeMessage(head), /longer than/);
  });

  test('is refused, not misread, when bytes of it are wrong', () => {
    let refused = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(everything, hello),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (original, changes) => {
          const bytes = Buffer.from(original);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          try {
            decodeMessage(bytes);
          } catch (error) {
            assert.ok(error instanceof Error && !(error instanceof TypeError), String(error));
            refused += 1;
          }
        },
      ),
      { numRuns: 3000, seed: 1 },
    );
    assert.ok(refused > 300);
  });
});

test('a value goes into bytes and comes back, whatever stands before it', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
  const typed: fc.Arbitrary<readonly [string, BusValue]> = fc.oneof(
    fc.tuple(fc.constant('y'), fc.nat(255)),
    fc.tuple(fc.constant('x'), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    fc.tuple(fc.constant('s'), text),
    fc.tuple(fc.constant('as'), fc.array(text)),
    fc.tuple(fc.constant('(yd)'), fc.tuple(fc.nat(255), fc.double({ noNaN: true }))),
    fc.tuple(
      fc.constant('a{sv}'),
      fc.array(
        fc.tuple(
          text,
          fc.nat(65535).map((value) => ({ signature: 'q', value })),
        ),
      ),
    ),
  );
  fc.assert(
    fc.property(fc.array(typed, { maxLength: 8 }), (values) => {
      const signature = values.map(([type]) => type).join('');
      const given = values.map(([, value]) => value);
      assert.deepEqual(decodeValues(signature, encodeValues(signature, given), true), given);
    }),
    { numRuns: 500, seed: 1 },
  );
});

describe('a signature', () => {
  test('is one complete type after the other', () => {
    assert.deepEqual(completeTypes('sa{sv}(ii(yy))aas'), ['s', 'a{sv}', '(ii(yy))', 'aas']);
  });

  for (const wrong of [
    'a',
    '(',
    '()',
    '(s',
    'a{vs}',
    'a{ss',
    '{ss}',
    'h',
    's)',
    'a'.repeat(100) + 's',
    '('.repeat(100),
  ]) {
    test(`is refused: ${wrong.slice(0, 10)}`, () => {
      assert.throws(() => completeTypes(wrong));
    });
  }
});

test('a call without a reply has what its type must have', () => {
  const incomplete: BusMessage = { type: 'methodCall', serial: 1, path: '/a' };
  assert.throws(() => decodeMessage(encodeMessage(incomplete)), /no field member/);
});
