import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { exampleConfiguration, effectiveConfiguration, settingsHelp } from './describe-configuration.ts';
import { readConfiguration, settleConfiguration, type OptionValues } from './read-configuration.ts';
import { settings, type Setting } from './settings.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-configuration-'));
});
after(() => rm(directory, { recursive: true, force: true }));

async function fileWith(text: string, mode = 0o600): Promise<string> {
  const path = join(directory, 'server.conf');
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

const read = (options: OptionValues, environment: Readonly<Record<string, string>> = {}) =>
  readConfiguration({ 'data-dir': '/data', ...options }, environment);

describe('a setting', () => {
  it('comes from the option, else the environment, else the file, else the default', async () => {
    const config = await fileWith('listen = 127.0.0.3:3\n');
    const environment = { TANDEM_CONFIG: config, TANDEM_LISTEN: '127.0.0.2:2' };
    assert.equal((await read({ listen: '127.0.0.1:1' }, environment)).listen, '127.0.0.1:1');
    assert.equal((await read({}, environment)).listen, '127.0.0.2:2');
    assert.equal((await read({ config })).listen, '127.0.0.3:3');
    assert.equal((await read({})).listen, '127.0.0.1:8443');
  });

  it('that is a flag can be taken back by who comes first', async () => {
    const config = await fileWith('http = true\n');
    assert.equal((await read({ config })).http, true);
    assert.equal((await read({ config, http: false })).http, false);
    assert.equal((await read({ config }, { TANDEM_HTTP: 'false' })).http, false);
  });

  it('given empty counts as not given, from any source', async () => {
    const config = await fileWith('listen =\nshutdown-seconds = \n');
    const { listen, shutdownSeconds } = await read({ config, listen: '' }, { TANDEM_LISTEN: '' });
    assert.deepEqual([listen, shutdownSeconds], ['127.0.0.1:8443', 10]);
  });

  it('that is wrong is named with its source, and all of them at once', async () => {
    const config = await fileWith('# remark\n\nshutdown-seconds = soon\nlisten = nowhere\n');
    await assert.rejects(read({ config, 'public-url': 'ftp://x' }, { TANDEM_HTTP: 'maybe' }), {
      code: 'badRequest',
      // In the order of the table.
      message: [
        `${config}:4 listen = nowhere: give HOST:PORT, such as 0.0.0.0:443 or [::]:443`,
        '--public-url ftp://x: give a URL that begins with https:// or http:// and has no query',
        'TANDEM_HTTP=maybe: give true or false',
        `${config}:3 shutdown-seconds = soon: give a whole number`,
      ].join('\n'),
    });
  });
});

describe('a configuration file', () => {
  it('is read line by line: what is no setting, twice or no line of it is a fault with its place', async () => {
    const config = await fileWith('listn = 1\nhttp = true\nhttp = false\nwhat is this\n');
    await assert.rejects(read({ config }), {
      message: [
        `${config}:1: there is no setting "listn"`,
        `${config}:3: http was given before, at ${config}:2 http`,
        `${config}:4: write NAME = VALUE, or # before a remark`,
      ].join('\n'),
    });
  });

  it('that is missing or too long is refused', async () => {
    await assert.rejects(read({ config: '/nowhere/server.conf' }), /\/nowhere\/server\.conf cannot be read/);
    await assert.rejects(
      read({ config: await fileWith('#'.repeat(70_000)) }),
      /70000 bytes, and may have 65536/,
    );
  });

  it('is explained by an example with every setting, which may be taken as it is', async () => {
    const example = exampleConfiguration();
    for (const { option, environment, help } of Object.values<Setting>(settings)) {
      assert.ok(example.includes(option) && example.includes(environment), option);
      assert.ok(example.replaceAll(/\n# /g, ' ').includes(help), option);
      assert.ok(settingsHelp().includes(`--${option}`) && settingsHelp().includes(environment), option);
    }
    assert.deepEqual(await read({ config: await fileWith(example) }), await read({}));
  });
});

describe('a secret', () => {
  const url = 'postgres://tandem:s3cret@db.example/tandem';

  it('on the command line is refused, without being repeated', async () => {
    await assert.rejects(read({ database: url }), (error: Error) => {
      assert.match(
        error.message,
        /--database: a secret on the command line .* TANDEM_DATABASE.*--database-file/,
      );
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
    const without = 'postgres://tandem@db.example/tandem';
    assert.equal((await read({ database: without })).database, without);
  });

  it('comes from the environment, or from a file that option, environment or file name', async () => {
    const path = join(directory, 'database-url');
    await writeFile(path, `${url}\n`);
    const config = await fileWith(`database-file = ${path}\n`, 0o644);
    for (const [options, environment] of [
      [{}, { TANDEM_DATABASE: url }],
      [{}, { TANDEM_DATABASE_FILE: path }],
      [{ 'database-file': path }, {}],
      [{ config }, {}],
    ] as const) {
      assert.equal((await read(options, environment)).database, url);
    }
    await assert.rejects(
      read({}, { TANDEM_DATABASE_FILE: '/nowhere' }),
      /TANDEM_DATABASE_FILE \/nowhere cannot be read/,
    );
  });

  it('in a configuration file that everybody can read is refused, without being repeated', async () => {
    const config = await fileWith(`database = ${url}\n`, 0o644);
    await assert.rejects(read({ config }), (error: Error) => {
      assert.match(error.message, /:1 database: everybody can read this secret: chmod o-r .*database-file/);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
    assert.equal((await read({ config: await fileWith(`database = ${url}\n`, 0o640) })).database, url);
  });

  it('that is mistyped is not repeated either', async () => {
    await assert.rejects(read({}, { TANDEM_DATABASE: 'postgre://tandem:s3cret@db' }), {
      message: 'TANDEM_DATABASE: give postgres://USER@HOST:PORT/NAME',
    });
  });

  it('is hidden where the effective configuration is printed, which names every source', async () => {
    const config = await fileWith('listen = 127.0.0.3:3\n');
    const text = effectiveConfiguration(
      await settleConfiguration({ config, 'data-dir': '/data' }, { TANDEM_DATABASE: url }),
    );
    assert.doesNotMatch(text, /s3cret/);
    for (const line of [
      '# --data-dir\ndata-dir = /data\n',
      '# TANDEM_DATABASE\ndatabase = postgres://tandem:(hidden)@db.example/tandem\n',
      `# ${config}:1 listen\nlisten = 127.0.0.3:3\n`,
      '# default\nshutdown-seconds = 10\n',
      '# not given\n#public-url =\n',
    ]) {
      assert.ok(text.includes(line), `${line} in:\n${text}`);
    }
  });
});
