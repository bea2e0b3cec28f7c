import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeRuntime } from './node-runtime.ts';

const rule = '-'.repeat(80);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/**
 * What the licences of bundled packages want told with every copy: name, version, licence and its text. `packages` are their
 * directories within the project. Throws for a package that names no licence.
 */
export async function thirdPartyNotices(project: string, packages: readonly string[]): Promise<string> {
  const notices: string[] = [];
  for (const path of packages) {
    const directory = join(project, path);
    const manifest = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Manifest;
    if (manifest.license === undefined)
      throw new Error(`${manifest.name} names no licence in its package.json`);
    const names = await readdir(directory);
    const texts = names.filter((name) => /^(licen[cs]e|copying|notice)/i.test(name)).toSorted();
    const told = await Promise.all(texts.map((name) => readFile(join(directory, name), 'utf8')));
    notices.push([`${manifest.name} ${manifest.version} (${manifest.license})`, ...told].join('\n\n'));
  }
  return notices.map((notice) => `${notice.trimEnd()}\n`).join(`\n${rule}\n\n`);
}

/** The notices of everything that is bundled, and of Node with its own parts, where a package brings it. */
export const noticesWithNode = async (notices: string, node: Pick<NodeRuntime, 'licence'>): Promise<string> =>
  [notices, rule, 'Node.js', '', await readFile(node.licence, 'utf8')].join('\n');

/** /usr/share/doc/PACKAGE/copyright, in Debian's machine-readable form; `others` names the file with the notices of others, if any. */
export const debianCopyright = (
  others?: string,
): string => `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Tandem
${others === undefined ? '' : `Comment: The package comes with software of others. What their licences want told is in ${others}.\n`}
Files: *
Copyright: 2026, the authors of Tandem
License: Apache-2.0
 On Debian systems, the full text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`;
