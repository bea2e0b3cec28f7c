import { spawn } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ownProgram, runProgram } from '@tandem/demo';

/*
 * A device for update modules: our client, run as its owner runs it, out of directories of its own. What a module changes lies
 * below `target`, which is described as data: path by path, its mode and its content.
 */

export const moduleDeviceType = 'module-board';

/** Paths below the target with their content; a leading `640:` is the mode of a file where it matters. */
export type Tree = Readonly<Record<string, string>>;

export interface ModuleArtifactDescription {
  readonly name: string;
  readonly type: string;
  /** Payload files by name. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly metaData?: Readonly<Record<string, unknown>>;
  /** State scripts by name. */
  readonly stateScripts?: Readonly<Record<string, string>>;
}

export interface RunResult {
  readonly exitCode: number | null;
  /** Lines of stdout. */
  readonly said: readonly string[];
  readonly log: string;
}

export interface ModuleDevice {
  readonly target: string;
  /** Directory for the test's own things, beside the device. */
  readonly workshop: string;
  /** Puts a shell program before all others in the device's PATH. */
  addProgram(name: string, script: string): Promise<void>;
  mender(...words: readonly string[]): Promise<RunResult>;
}

export interface ModuleDeviceOptions {
  readonly directory: string;
  /** Below it, `modules/v3` holds the update modules. */
  readonly dataDirectory: string;
  /** The only programs of the system the device has, beside those added; all when not given. */
  readonly onlyPrograms?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const runTimeoutMs = 60_000;

export async function makeModuleDevice(options: ModuleDeviceOptions): Promise<ModuleDevice> {
  const at = (name: string): string => join(options.directory, name);
  for (const name of ['configuration', 'datastore', 'target', 'programs', 'workshop'])
    await mkdir(at(name), { recursive: true });
  await writeFile(join(at('configuration'), 'mender.conf'), '{}\n');
  await writeFile(join(at('datastore'), 'device_type'), `device_type=${moduleDeviceType}\n`);
  for (const name of options.onlyPrograms ?? []) {
    await symlink(await pathOf(name), join(at('programs'), name));
  }
  const systemPrograms = options.onlyPrograms === undefined ? [process.env['PATH'] ?? ''] : [];
  const environment = {
    ...process.env,
    ...options.environment,
    PATH: [at('programs'), ...systemPrograms].join(':'),
    MENDER_CONF_DIR: at('configuration'),
    MENDER_DATA_DIR: options.dataDirectory,
    MENDER_DATASTORE_DIR: at('datastore'),
  };
  return {
    target: at('target'),
    workshop: at('workshop'),
    addProgram: async (name, script) => {
      await writeProgram(join(at('programs'), name), script);
    },
    mender: (...words) =>
      new Promise((resolve, reject) => {
        // By this Node and not by the launcher's first line, which would look for one in the device's PATH.
        const child = spawn(process.execPath, [ownProgram('mender-update'), ...words], {
          env: environment,
          stdio: ['ignore', 'pipe', 'pipe'],
          timeout: runTimeoutMs,
        });
        let output = '';
        let log = '';
        child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
        child.once('error', reject);
        child.once('close', (exitCode) => {
          resolve({ exitCode, said: output.split('\n').filter((line) => line !== ''), log });
        });
      }),
  };
}

/** Writes the artifact with our own `mender-artifact`, below `workshop`; returns its path. */
export async function writeModuleArtifact(
  workshop: string,
  { name, type, files, metaData, stateScripts = {} }: ModuleArtifactDescription,
): Promise<string> {
  const output = join(workshop, `${name}.mender`);
  const paths: string[] = [];
  for (const [file, content] of Object.entries(files)) {
    const path = join(workshop, `${name}-files`, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    paths.push('--file', path);
  }
  for (const [script, content] of Object.entries(stateScripts)) {
    const path = join(workshop, `${name}-scripts`, script);
    await writeProgram(path, content);
    paths.push('--script', path);
  }
  if (metaData !== undefined) {
    const path = join(workshop, `${name}-meta-data.json`);
    await writeFile(path, JSON.stringify(metaData));
    paths.push('--meta-data', path);
  }
  const command = [
    ['write', 'module-image', '--no-progress', '--type', type, '--artifact-name', name],
    ['--compatible-types', moduleDeviceType, '--output-path', output],
    paths,
  ];
  await runProgram(ownProgram('mender-artifact'), command.flat());
  return output;
}

export async function writeTree(root: string, tree: Tree): Promise<void> {
  for (const [path, described] of Object.entries(tree)) {
    const { mode, content } = parseEntry(described);
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
    if (mode !== undefined) await chmod(join(root, path), mode);
  }
}

/** What lies below `root`, described as `expected` describes it: with modes where that names them. */
export async function readTree(root: string, expected: Tree): Promise<Tree> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(root.length + 1);
    if (entry.isSymbolicLink()) found[name] = `-> ${await readlink(path)}`;
    if (!entry.isFile()) continue;
    const withMode = parseEntry(expected[name] ?? '').mode !== undefined;
    const mode = withMode ? `${((await lstat(path)).mode & 0o7777).toString(8)}:` : '';
    found[name] = mode + (await readFile(path, 'utf8'));
  }
  return found;
}

function parseEntry(described: string): { mode: number | undefined; content: string } {
  const match = /^([0-7]{3}):([^]*)$/.exec(described);
  return match?.[1] === undefined
    ? { mode: undefined, content: described }
    : { mode: Number.parseInt(match[1], 8), content: match[2] ?? '' };
}

async function writeProgram(path: string, script: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}`);
  await chmod(path, 0o755);
}

async function pathOf(program: string): Promise<string> {
  return (await runProgram('/bin/sh', ['-c', 'command -v -- "$1"', 'sh', program])).trim();
}
