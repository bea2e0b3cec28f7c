import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { goldenPath } from './test-data/golden.ts';
import { noise } from './test-data/streams.ts';

const directory = mkdtempSync(join(tmpdir(), 'artifact-readme-'));
after(() => rmSync(directory, { recursive: true }));

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/^## (.+?)\n.*?```ts\n(.*?)```/gms)].map(
  ([, title = '', code = '']) => ({ title, code }),
);

/** Runs an example of the README as a program of its own, in a directory with the files it speaks of. */
function runExample(title: string): string {
  const { code } =
    examples.find((example) => example.title === title) ?? assert.fail(`no example under ${title}`);
  const entry = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const placed = code
    .replaceAll(`'@tandem/artifact/xz'`, `'${entry('xz.ts')}'`)
    .replaceAll(`'@tandem/artifact'`, `'${entry('index.ts')}'`);
  const path = join(directory, `${title}.ts`);
  writeFileSync(path, placed);
  return execFileSync(process.execPath, [path], { cwd: directory, encoding: 'utf8' });
}

test('the examples of the README write, read and change an artifact', () => {
  const image = noise(100_000);
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  writeFileSync(join(directory, 'rootfs.ext4'), image);
  writeFileSync(join(directory, 'check-battery'), '#!/bin/sh\n');
  copyFileSync(goldenPath('keys/ec256-sec1.key.pem'), join(directory, 'private.pem'));
  copyFileSync(goldenPath('keys/ec256-sec1.pub.pem'), join(directory, 'public.pem'));
  runExample('Write');
  assert.equal(runExample('Read'), 'release-1 verified\n');
  assert.ok(readFileSync(join(directory, 'unpacked-rootfs.ext4')).equals(image));
  runExample('Change');
  assert.ok(existsSync(join(directory, 'release-1-north.mender')));
});
