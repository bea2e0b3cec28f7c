import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

/* The package as a build system gets it: plain JavaScript with types, without anything of this repository around it. */

const project = fileURLToPath(new URL('../../../', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'artifact-published-'));
after(() => rmSync(directory, { recursive: true }));

test('the published package is typed, reads and writes, for a program of another project', () => {
  const scope = join(directory, 'node_modules', '@tandem');
  mkdirSync(scope, { recursive: true });
  const build = join(project, 'packages/artifact/build-package.ts');
  execFileSync(process.execPath, [build, join(scope, 'artifact')]);
  for (const name of ['node-liblzma', '@types'])
    symlinkSync(join(project, 'node_modules', name), join(directory, 'node_modules', name));

  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(directory, 'program.ts'),
    `import { createReadStream, writeFileSync } from 'node:fs';
import { moduleImage, nodeDecompressors, readArtifact, writeArtifactFile, type Artifact } from '@tandem/artifact';
import { xzCompressor, xzDecompressor } from '@tandem/artifact/xz';
writeFileSync('note', 'a note');
const payload = moduleImage({ artifactName: 'app-1', type: 'app', files: [{ path: 'note' }] });
const description = { artifactName: 'app-1', depends: { deviceTypes: ['pi'] }, payload };
await writeArtifactFile(description, 'app-1.mender', { compression: 'lzma', compressors: { lzma: xzCompressor } });
const decompressors = { ...nodeDecompressors, lzma: xzDecompressor };
const artifact: Artifact = await readArtifact(createReadStream('app-1.mender'), { decompressors });
for await (const file of artifact.files()) console.log(artifact.headerInfo.artifactName, file.name, file.sizeBytes);
`,
  );
  const tsc = resolve(project, 'node_modules/.bin/tsc');
  const flags = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
  execFileSync(tsc, [...flags, 'program.ts'], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = execFileSync(process.execPath, ['program.js'], { cwd: directory, encoding: 'utf8' });
  assert.equal(said, 'app-1 note 6\n');
});
