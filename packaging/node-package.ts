import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildDebianPackage, gzip, type BuildOptions } from './debian-package.ts';
import { maintainer } from './facts.ts';
import { nodeVersion, type NodeRuntime } from './node-runtime.ts';

const ownFiles = join(import.meta.dirname, 'node');

/** Writes `tandem-node_*.deb`: the Node for devices whose Debian has none that is new enough; returns its path. */
export async function buildNodeDebianPackage(node: NodeRuntime, options: BuildOptions): Promise<string> {
  const notices = '/usr/share/doc/tandem-node/NOTICES.gz';
  return buildDebianPackage(
    {
      control: {
        package: 'tandem-node',
        version: await nodeVersion(node),
        architecture: node.architecture,
        maintainer,
        section: 'javascript',
        priority: 'optional',
        homepage: 'https://nodejs.org/',
        depends: node.depends,
        synopsis: 'Node.js for the device client of Tandem',
        description: [
          'The program Node.js, in a place of its own: tandem-client runs on it, whatever else is installed as node. ' +
            'Without npm and without headers.',
        ],
      },
      files: [
        { path: '/usr/lib/tandem-node/bin/node', copyOf: node.program, mode: 0o755 },
        { path: notices, bytes: gzip(await readFile(node.licence, 'utf8')) },
      ],
      conffiles: [],
      scripts: {},
      copyright:
        'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n' +
        'Upstream-Name: Node.js\n' +
        'Source: https://nodejs.org/\n\n' +
        'Files: *\n' +
        'Copyright: Node.js contributors, and the authors of what is in it\n' +
        'License: Node.js\n' +
        ` The MIT licence, and those of the parts: their texts are in ${notices}.\n`,
      lintianOverrides: await readFile(join(ownFiles, 'lintian-overrides'), 'utf8'),
    },
    options,
  );
}
