import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * The real programs, as Debian ships them. By absolute path: ours bear the same names, and npm puts ours first in PATH.
 * The version is the package's, because Debian builds `mender-cli` without a version of its own.
 */
const debianPrograms = {
  mender: { path: '/usr/bin/mender', package: 'mender-client', version: /^3\.4\./ },
  'mender-connect': { path: '/usr/bin/mender-connect', package: 'mender-connect', version: /^2\.1\./ },
  'mender-cli': { path: '/usr/bin/mender-cli', package: 'mender-cli', version: /^1\.9\./ },
} as const satisfies Record<string, DebianProgram>;

interface DebianProgram {
  readonly path: string;
  readonly package: string;
  readonly version: RegExp;
}

/**
 * Where the program is and which version; throws, with the line that installs it, when it is not there, is not what the
 * package brought, or is of a generation the tests do not speak of.
 */
export function debianProgram(name: keyof typeof debianPrograms): {
  readonly path: string;
  readonly version: string;
} {
  const { path, package: from, version: expected } = debianPrograms[name];
  if (!existsSync(path)) {
    throw new Error(`${path} is missing: install it with "apt-get install --no-install-recommends ${from}"`);
  }
  const owner = execFileSync('dpkg', ['--search', path], { encoding: 'utf8' });
  if (!owner.startsWith(`${from}:`)) throw new Error(`${path} is not of the package ${from}: ${owner}`);
  const version = execFileSync('dpkg-query', ['--show', '--showformat=${Version}', from], {
    encoding: 'utf8',
  });
  if (!expected.test(version)) {
    throw new Error(`${path} is of version ${version}; these tests are about ${expected.source}`);
  }
  return { path, version };
}
