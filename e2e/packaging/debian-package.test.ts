import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildDebianPackage, type DebianPackage } from '../../packaging/debian-package.ts';
import { runProgram } from '../../packaging/run-program.ts';
import { buildTarball } from '../../packaging/tarball.ts';

const small: DebianPackage = {
  control: {
    package: 'small',
    version: '1.2.3',
    architecture: 'all',
    maintainer: 'A Person <person@example.com>',
    section: 'misc',
    priority: 'optional',
    depends: ['adduser', 'xz-utils (>= 5)'],
    synopsis: 'something small',
    description: [
      'First paragraph, which is told in so many words that it takes more than a line.',
      'Second.',
    ],
  },
  files: [
    { path: '/usr/bin/small', text: '#!/bin/sh\n', mode: 0o755 },
    { path: '/usr/bin/also-small', linkTo: 'small' },
    { path: '/etc/small.conf', text: 'a = b\n' },
  ],
  conffiles: ['/etc/small.conf'],
  scripts: { postinst: '#!/bin/sh\nset -e\n' },
  copyright: 'ours\n',
};
const modified = 1_700_000_000;

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-small-package-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const build = (into: string) =>
  buildDebianPackage(small, { directory: join(directory, into), modified, compression: 'xz' });

describe('a Debian package', () => {
  it('has the fields, files, modes and scripts that its table says', async () => {
    const path = await build('fields');
    assert.ok(path.endsWith('/small_1.2.3_all.deb'));
    assert.equal(
      await runProgram('dpkg-deb', ['--field', path]),
      [
        'Package: small',
        'Version: 1.2.3',
        'Architecture: all',
        'Maintainer: A Person <person@example.com>',
        'Installed-Size: 4',
        'Depends: adduser, xz-utils (>= 5)',
        'Section: misc',
        'Priority: optional',
        'Description: something small',
        ' First paragraph, which is told in so many words that it takes more than a',
        ' line.',
        ' .',
        ' Second.',
        '',
      ].join('\n'),
    );
    const contents = await runProgram('dpkg-deb', ['--contents', path]);
    assert.match(contents, /^-rwxr-xr-x root\/root +10 2023-11-14 22:13 \.\/usr\/bin\/small$/m);
    assert.match(contents, /^lrwxrwxrwx root\/root .* \.\/usr\/bin\/also-small -> small$/m);
    assert.match(contents, /^-rw-r--r-- .* \.\/usr\/share\/doc\/small\/copyright$/m);
    assert.equal(await runProgram('dpkg-deb', ['--info', path, 'conffiles']), '/etc/small.conf\n');
    assert.equal(await runProgram('dpkg-deb', ['--info', path, 'postinst']), '#!/bin/sh\nset -e\n');
    assert.match(
      await runProgram('dpkg-deb', ['--info', path, 'md5sums']),
      /^[0-9a-f]{32} {2}usr\/bin\/small$/m,
    );
  });

  it('is the same, byte by byte, when it is built again, whatever the umask', async () => {
    const first = await readFile(await build('first'));
    const umask = process.umask(0o077);
    try {
      assert.ok(first.equals(await readFile(await build('second'))));
    } finally {
      process.umask(umask);
    }
  });
});

it('a tarball is the same, byte by byte, when it is built again', async () => {
  const make = async (into: string) =>
    readFile(
      await buildTarball(
        { name: 'small-1', files: small.files },
        { directory: join(directory, into), modified },
      ),
    );
  assert.ok((await make('tar-1')).equals(await make('tar-2')));
});
