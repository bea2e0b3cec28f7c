import { execFileSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ownProgram, runProgram } from '@tandem/demo';
import { stockDeviceType } from './stock-device.ts';

export interface ModuleArtifact {
  readonly name: string;
  /** The update module, one of those Debian's package brings. */
  readonly module: 'script' | 'single-file' | 'directory';
  /** Payload files by name; a script's are made executable by its module. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly deviceType?: string;
  /** State scripts by name. */
  readonly stateScripts?: Readonly<Record<string, string>>;
  /** What the device must provide, `key:value`. */
  readonly depends?: string;
  readonly compression?: 'none' | 'gzip' | 'lzma' | 'zstd';
  /** File with the private key it is signed with; unsigned without. */
  readonly signingKey?: string;
}

/** Writes the artifact with our own `mender-artifact`, below `directory`; returns its path. */
export async function makeModuleArtifact(directory: string, artifact: ModuleArtifact): Promise<string> {
  const workshop = join(directory, artifact.name);
  const output = join(directory, `${artifact.name}.mender`);
  const paths: string[] = [];
  for (const [name, content] of Object.entries(artifact.files)) {
    paths.push(await written(join(workshop, 'files', name), content));
  }
  const scripts: string[] = [];
  for (const [name, content] of Object.entries(artifact.stateScripts ?? {})) {
    const path = await written(join(workshop, 'scripts', name), content);
    await chmod(path, 0o755);
    scripts.push(path);
  }
  const command = [
    ['write', 'module-image', '--no-progress'],
    ['--type', artifact.module],
    ['--artifact-name', artifact.name],
    ['--compatible-types', artifact.deviceType ?? stockDeviceType],
    ...paths.map((path) => ['--file', path]),
    ...scripts.map((path) => ['--script', path]),
    artifact.depends === undefined ? [] : ['--depends', artifact.depends],
    artifact.compression === undefined ? [] : ['--compression', artifact.compression],
    artifact.signingKey === undefined ? [] : ['--key', artifact.signingKey],
    ['--output-path', output],
  ];
  await runProgram(ownProgram('mender-artifact'), command.flat());
  return output;
}

/** What the `single-file` module wants beside the file itself. */
export const singleFile = (
  name: string,
  content: string | Uint8Array,
  destination: string,
): ModuleArtifact['files'] => ({
  [name]: content,
  filename: `${name}\n`,
  dest_dir: `${destination}\n`,
  permissions: '640\n',
});

/** What the `directory` module wants: the tree as a tar archive, and where it goes. */
export function wholeDirectory(tree: string, destination: string): ModuleArtifact['files'] {
  return {
    'update.tar': execFileSync('tar', ['-C', tree, '-c', '.'], { maxBuffer: 1 << 26 }),
    dest_dir: `${destination}\n`,
  };
}

async function written(path: string, content: string | Uint8Array): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}
