import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * Makes the package as it is published: JavaScript, types and a `package.json` of its own, for `npm publish DIRECTORY`. In the repository
 * itself the sources are run as they are.
 *
 *     node packages/artifact/build-package.ts [DIRECTORY]     default: packages/artifact/dist
 */
const here = import.meta.dirname;
const project = resolve(here, '../..');
const target = resolve(process.argv[2] ?? join(here, 'dist'));

rmSync(target, { recursive: true, force: true });
const tsc = join(project, 'node_modules', '.bin', 'tsc');
execFileSync(tsc, ['-p', join(here, 'tsconfig.build.json'), '--outDir', target], { stdio: 'inherit' });

const description = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, string>>;
} & Record<string, unknown>;
const { private: _private, scripts: _scripts, files: _files, ...published } = description;
const entries = Object.entries(description.exports).map(([name, source]) => {
  const built = source.replace('./src/', './').replace(/\.ts$/, '');
  return [name, { types: `${built}.d.ts`, default: `${built}.js` }];
});
const whole = { ...published, engines: { node: '>=20' }, exports: Object.fromEntries(entries) };
writeFileSync(join(target, 'package.json'), `${JSON.stringify(whole, undefined, 2)}\n`);
copyFileSync(join(here, 'README.md'), join(target, 'README.md'));
copyFileSync(join(project, 'LICENSE'), join(target, 'LICENSE'));
