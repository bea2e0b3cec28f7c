import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { linuxFiles } from '../system/linux-files.ts';
import { configurationKeys } from './configuration-keys.ts';
import { readDeviceType } from './device-type.ts';
import { installationPaths } from './installation-paths.ts';
import { loadConfiguration } from './load-configuration.ts';

const directory = await mkdtemp(join(tmpdir(), 'configuration-'));
after(() => rm(directory, { recursive: true }));
const files = linuxFiles();
const main = { path: join(directory, 'etc.conf'), named: false };
const fallback = { path: join(directory, 'data.conf'), named: false };
const load = () => loadConfiguration(files, { main, fallback });
const write = (file: { path: string }, value: unknown) => writeFile(file.path, JSON.stringify(value));

describe('the configuration', () => {
  beforeEach(() => Promise.all([rm(main.path, { force: true }), rm(fallback.path, { force: true })]));

  test('is all defaults on a device without files', async () => {
    const defaults = Object.fromEntries(
      Object.entries(configurationKeys).map(([name, key]) => [name, key.default]),
    );
    assert.deepEqual(await load(), defaults);
  });

  test('takes the main file over the fallback, key by key, and replaces lists whole', async () => {
    await write(fallback, {
      RootfsPartA: '/dev/a',
      RootfsPartB: '/dev/b',
      ArtifactVerifyKeys: ['old1', 'old2'],
      UpdatePollIntervalSeconds: 5,
    });
    await write(main, { RootfsPartB: '/dev/c', ArtifactVerifyKeys: ['new'], Unknown: { Left: 'alone' } });
    const { RootfsPartA, RootfsPartB, ArtifactVerifyKeys, UpdatePollIntervalSeconds } = await load();
    assert.deepEqual(
      { RootfsPartA, RootfsPartB, ArtifactVerifyKeys, UpdatePollIntervalSeconds },
      {
        RootfsPartA: '/dev/a',
        RootfsPartB: '/dev/c',
        ArtifactVerifyKeys: ['new'],
        UpdatePollIntervalSeconds: 5,
      },
    );
  });

  test('finds keys whatever their case, strips one slash, and takes 0 seconds for the default', async () => {
    await write(main, {
      serverurl: 'https://example.com//',
      HTTPSCLIENT: { certificate: '/c', KEY: '/k' },
      InventoryPollIntervalSeconds: 0,
    });
    const configuration = await load();
    assert.equal(configuration.ServerURL, 'https://example.com/');
    assert.equal(configuration['HttpsClient.Certificate'], '/c');
    assert.equal(configuration['HttpsClient.Key'], '/k');
    assert.equal(configuration.InventoryPollIntervalSeconds, 28800);
  });

  test('is refused with every problem of both files, each with its key', async () => {
    await write(fallback, { RetryDownloadCount: 0, RootfsPartA: 7, DeviceTier: 'huge' });
    await write(main, {
      ServerURL: 'ftp://example.com',
      Servers: [{ ServerURL: 'https://a' }, { ServerUrl: 1 }],
      SkipVerify: 'yes',
      UpdatePollIntervalSeconds: -1,
      HttpsClient: { Certificate: 'only', SSLEngine: 'pkcs11' },
      tenantToken: 'a',
      TenantToken: 'b',
    });
    await assert.rejects(load(), (error: Error) => {
      for (const expected of [
        `${fallback.path}: RetryDownloadCount: must be a whole number from 1 to 10000`,
        `${fallback.path}: RootfsPartA: must be a text`,
        `${fallback.path}: DeviceTier: must be one of standard, system, micro`,
        `${main.path}: ServerURL: must be an http:// or https:// address`,
        `${main.path}: Servers: [1].ServerURL must be a text`,
        `${main.path}: SkipVerify: must be true or false`,
        `${main.path}: UpdatePollIntervalSeconds: must be a whole number`,
        `${main.path}: HttpsClient.SSLEngine: is not supported; give Key as a PEM file`,
        `${main.path}: TenantToken: given twice, as tenantToken and TenantToken`,
        `'HttpsClient.Certificate' and 'HttpsClient.Key' belong together`,
      ]) {
        assert.ok(error.message.includes(expected), `${expected}\nin\n${error.message}`);
      }
      return true;
    });
  });

  test('is refused when keys exclude each other, or a file is no JSON', async () => {
    await write(fallback, { Servers: [{ ServerURL: 'https://a' }], ArtifactVerifyKey: 'k' });
    await write(main, { ServerURL: 'https://b', ArtifactVerifyKeys: ['l'] });
    await assert.rejects(
      load(),
      /'Servers' AND 'ServerURL'(.|\n)*'ArtifactVerifyKey' and 'ArtifactVerifyKeys'/,
    );
    await writeFile(main.path, '{ "ServerURL": ');
    await assert.rejects(load(), /etc\.conf: not valid JSON/);
  });

  test('must be there when the command line names it', async () => {
    await assert.rejects(
      loadConfiguration(files, { main: { ...main, named: true }, fallback }),
      /no such file/,
    );
  });
});

test('the roots of the installation can be moved, and options win', () => {
  const moved = installationPaths({
    MENDER_CONF_DIR: '/c',
    MENDER_DATA_DIR: '/d',
    MENDER_DATASTORE_DIR: '/s',
  });
  assert.equal(moved.configurationFile, '/c/mender.conf');
  assert.equal(moved.fallbackConfigurationFile, '/s/mender.conf');
  assert.equal(moved.updateModules, '/d/modules/v3');
  assert.equal(
    installationPaths({ MENDER_DATASTORE_DIR: '/s' }, { datastore: '/o' }).deviceKey,
    '/o/mender-agent.pem',
  );
});

describe('the device type', () => {
  const path = join(directory, 'device_type');

  test('is one line', async () => {
    await writeFile(path, 'device_type=raspberrypi4 rev=b\n');
    assert.equal(await readDeviceType(files, path), 'raspberrypi4 rev=b');
  });

  test('is refused when anything else stands there', async () => {
    for (const text of [
      '',
      'device_type=',
      'device_type=\n',
      ' device_type=a',
      'type=a',
      'device_type=a\nb',
      'a\n\n',
    ]) {
      await writeFile(path, text);
      await assert.rejects(readDeviceType(files, path), { code: 'noDeviceType' }, JSON.stringify(text));
    }
    await assert.rejects(readDeviceType(files, `${path}-missing`), /does not exist/);
  });
});
