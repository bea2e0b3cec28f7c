import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { configurationKeys, type KeyDescription, type KeyName } from './configuration-keys.ts';
import { configurationTables, tableIn } from './configuration-tables.ts';
import { environmentVariables } from './environment-variables.ts';
import { loadConfiguration } from './load-configuration.ts';

const source = join(import.meta.dirname, '..');
const document = await readFile(join(source, '../../../docs/how-to/configure-the-client.md'), 'utf8');

describe('the documentation of the configuration', () => {
  for (const [name, rows] of Object.entries(configurationTables)) {
    test(`shows every row of the table "${name}"; if not, run node packages/client/document-configuration.ts`, () => {
      assert.deepEqual(tableIn(document, name), rows);
    });
  }

  test('knows every environment variable the client looks at', async () => {
    const files = (await readdir(source, { recursive: true })).filter((path) =>
      /(?<!\.test)\.ts$/.test(path),
    );
    const texts = await Promise.all(files.map((path) => readFile(join(source, path), 'utf8')));
    const used = texts.flatMap((text) =>
      [...text.matchAll(/environment\['([^']+)'\]/g)].map(([, name]) => name ?? ''),
    );
    const known = Object.keys(environmentVariables).map((name) => name.toLowerCase());
    const cgi = 'REQUEST_METHOD';
    assert.deepEqual(
      [...new Set(used)].filter((name) => name !== cgi && !known.includes(name.toLowerCase())),
      [],
    );
    assert.ok(used.length > 5);
  });
});

/** For each type of key: a value that is taken, with what it is then, and values that are not, with the reason. */
const samples: Readonly<
  Record<
    KeyDescription['type'],
    (key: KeyDescription) => { good: unknown; taken?: unknown; bad: readonly [unknown, string][] }
  >
> = {
  string: () => ({
    good: '/some/text',
    bad: [
      [7, 'must be a text'],
      [null, 'must be a text'],
    ],
  }),
  url: () => ({
    good: 'https://a.example/',
    taken: 'https://a.example',
    bad: [
      ['ftp://a', 'must be an http:// or https:// address'],
      ['https://me:word@a', 'must not contain a user name or password'],
      [{}, 'must be a text'],
    ],
  }),
  boolean: (key) => ({
    good: key.default !== true,
    bad: [
      ['true', 'must be true or false'],
      [1, 'must be true or false'],
    ],
  }),
  interval: () => ({
    good: 77,
    bad: [
      [-1, 'must be a whole number'],
      [1.5, 'must be a whole number'],
      ['60', 'must be a whole number'],
    ],
  }),
  whole: (key) => {
    const { minimum, maximum } = key as KeyDescription & { minimum: number; maximum: number };
    const reason = `must be a whole number from ${minimum} to ${maximum}`;
    return {
      good: maximum,
      bad: [
        [minimum - 1, reason],
        [maximum + 1, reason],
        [true, reason],
      ],
    };
  },
  strings: () => ({
    good: ['/a', '/b'],
    bad: [
      ['/a', 'must be a list of texts'],
      [[1], 'must be a list of texts'],
    ],
  }),
  servers: () => ({
    good: [{ ServerURL: 'https://a.example' }],
    taken: ['https://a.example'],
    bad: [
      [['https://a'], '[0] must be an object with a ServerURL'],
      ['https://a', 'must be a list of objects with a ServerURL each'],
      [[{ ServerURL: '' }], '[0].ServerURL must be a text'],
    ],
  }),
  choice: (key) => {
    const { choices } = key as KeyDescription & { choices: readonly string[] };
    return { good: choices.at(-1), bad: [['other', `must be one of ${choices.join(', ')}`]] };
  },
  refused: () => ({ good: '', bad: [['pkcs11', 'is not supported']] }),
  unused: () => ({ good: '', bad: [] }),
};

/** What some keys cannot be without. */
const companions: Readonly<Partial<Record<KeyName, Readonly<Record<string, unknown>>>>> = {
  'HttpsClient.Certificate': { HttpsClient: { Key: '/k' } },
  'HttpsClient.Key': { HttpsClient: { Certificate: '/c' } },
  'Security.SSLEngine': { Security: { AuthPrivateKey: 'pkcs11:' } },
  'Security.SignCommand': { Security: { PublicKey: '/k' } },
  'Security.PublicKey': { Security: { SignCommand: 'sign' } },
  'Security.PublicKeyCommand': { Security: { SignCommand: 'sign' } },
};

function nested(name: string, value: unknown): Record<string, unknown> {
  const [first = '', second] = name.split('.');
  const beside = companions[name as KeyName]?.[first] as Record<string, unknown> | undefined;
  return { [first]: second === undefined ? value : { ...beside, [second]: value } };
}

async function load(main: unknown, fallback: unknown = {}) {
  const files = { '/main': main, '/fallback': fallback };
  const warnings: string[] = [];
  const configuration = await loadConfiguration(
    { read: (path) => Promise.resolve(Buffer.from(JSON.stringify(files[path as keyof typeof files]))) },
    { main: { path: '/main', named: false }, fallback: { path: '/fallback', named: false } },
    (warning) => warnings.push(warning),
  );
  return { configuration, warnings };
}

describe('the configuration', () => {
  for (const [name, key] of Object.entries(configurationKeys) as [KeyName, KeyDescription][]) {
    const { good, taken = good, bad } = samples[key.type](key);

    test(`${name} has its default, and is taken from the fallback file and over it from the main file`, async () => {
      assert.deepEqual((await load({})).configuration[name], key.default);
      assert.deepEqual((await load({}, nested(name, good))).configuration[name], taken);
      assert.deepEqual((await load(nested(name, good), nested(name, good))).configuration[name], taken);
    });

    for (const [value, reason] of bad) {
      test(`${name}: ${JSON.stringify(value)} is refused by file, key and reason`, async () => {
        for (const [file, loading] of [
          ['/main', () => load(nested(name, value))],
          ['/fallback', () => load({}, nested(name, value))],
        ] as const) {
          await assert.rejects(loading(), (error: Error & { code: string }) => {
            assert.equal(error.code, 'badConfiguration');
            assert.ok(error.message.includes(`${file}: ${name}: `), error.message);
            assert.ok(error.message.includes(reason), error.message);
            return true;
          });
        }
      });
    }
  }

  test('warns of keys that mean nothing here, and of those of no effect, with their file', async () => {
    const { warnings } = await load(
      {
        ServerURl: 'https://a',
        Sever: 1,
        Security: { AuthPrivatKey: 'x' },
        BootUtilitiesSetActivePart: '/b',
      },
      { Connectivity: { DisableKeepAlive: true } },
    );
    assert.deepEqual(warnings, [
      '/fallback: Connectivity.DisableKeepAlive: Without effect: each request has a connection of its own.',
      '/main: BootUtilitiesSetActivePart: Without effect: see BootEnvironment.',
      '/main: Sever: there is no such key',
      '/main: Security.AuthPrivatKey: there is no such key',
    ]);
  });

  for (const [what, main, reason] of [
    [
      'a key in hardware for TLS',
      { HttpsClient: { Certificate: '/c', Key: 'pkcs11:x' } },
      'must be a PEM file',
    ],
    [
      'two ways to sign',
      { Security: { SignCommand: 'a', AuthPrivateKey: '/k', PublicKey: '/p' } },
      'keep one of them',
    ],
    ['a command without a public key', { Security: { SignCommand: 'a' } }, "needs 'Security.PublicKey'"],
    [
      'two public keys',
      { Security: { SignCommand: 'a', PublicKey: 'b', PublicKeyCommand: 'c' } },
      'give one of the two',
    ],
    ['a public key alone', { Security: { PublicKey: 'b' } }, "belong to 'Security.SignCommand'"],
    ['an engine alone', { Security: { SSLEngine: 'pkcs11' } }, "needs 'Security.AuthPrivateKey'"],
  ] as const) {
    test(`is refused with ${what}`, async () => {
      await assert.rejects(load(main), (error: Error) => error.message.includes(reason));
    });
  }
});
