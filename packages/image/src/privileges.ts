import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { architectures, type Architecture } from './board-keys.ts';
import { ImageError } from './image-error.ts';
import type { RunProgram } from './run-program.ts';
import type { World } from './world.ts';

/** How files get owners other than the user's, and how packages are installed: as root, or as root of a user namespace. */
export interface Privileges {
  readonly kind: 'root' | 'user-namespace';
  /** Runs a program of this machine that sees and sets owners as they are to be in the image. */
  readonly run: RunProgram;
  /** Removes a tree whose files may have any owner; also when the work was ended. */
  readonly remove: (path: string) => Promise<void>;
  /** Runs a program of the root file system with it as `/`. */
  readonly runInside: (
    root: string,
    architecture: Architecture,
    args: readonly string[],
    onLine?: (line: string) => void,
  ) => Promise<string>;
}

const enterRoot = join(import.meta.dirname, '../support/enter-root');

/**
 * The user's own id becomes root, so that the builder itself can read what belongs to root in the image; the others are the user's subordinate
 * ids (subuid(5)). Throws `ImageError` (noPrivileges) when there are none.
 */
const asNamespaceRoot = ['--user', '--map-root-user', '--map-auto'] as const;
/** What is mounted, and processes left behind, end with the program. */
const apart = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'] as const;

export async function findPrivileges(
  { run, runAtEnd, userId }: Pick<World, 'run' | 'runAtEnd' | 'userId'>,
  sourceDate: number,
): Promise<Privileges> {
  const isRoot = userId === 0;
  const prefix = isRoot ? [] : asNamespaceRoot;
  if (!isRoot) await proveNamespace(run);
  const asRoot =
    (plain: RunProgram): RunProgram =>
    (program, args, options) =>
      isRoot ? plain(program, args, options) : plain('unshare', [...prefix, '--', program, ...args], options);
  const environment = { SOURCE_DATE_EPOCH: String(sourceDate) };
  return {
    kind: isRoot ? 'root' : 'user-namespace',
    run: asRoot(run),
    remove: async (path) => {
      await asRoot(runAtEnd)('rm', ['-rf', '--one-file-system', path]);
    },
    runInside: async (root, architecture, args, onLine) => {
      const enter = (interpreter: string, inside: readonly string[]) =>
        run('unshare', [...prefix, ...apart, '--', enterRoot, root, interpreter, ...inside], {
          environment,
          ...(onLine === undefined ? {} : { onLine }),
        });
      const runs = await enter('', ['/bin/true']).then(
        () => true,
        (error: unknown) => error,
      );
      if (runs === true) return enter('', args);
      if (architectures[architecture].qemu === architectures[ownArchitecture()].qemu) throw runs;
      const interpreter = await interpreterFor(architecture);
      if (isRoot || interpreter === undefined) throw foreign(architecture, runs);
      return enter(interpreter, args);
    },
  };
}

const nodeArchitectures: Readonly<Record<string, Architecture>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'armhf',
  ia32: 'i386',
  riscv64: 'riscv64',
};
const ownArchitecture = (): Architecture => nodeArchitectures[process.arch] ?? 'amd64';

async function proveNamespace(run: RunProgram): Promise<void> {
  try {
    await run('unshare', [...asNamespaceRoot, '--', 'true']);
  } catch (cause) {
    throw new ImageError(
      'noPrivileges',
      'cannot make a user namespace with subordinate ids: install uidmap, give this user ids with ' +
        '"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER", and allow user namespaces; or run as root' +
        ` (${cause instanceof Error ? cause.message : String(cause)})`,
      { cause },
    );
  }
}

/** A line for binfmt_misc (kernel documentation, admin-guide/binfmt-misc), from the ELF header of programs of that processor. */
async function interpreterFor(architecture: Architecture): Promise<string | undefined> {
  const { qemu, elfMachine, elfBits } = architectures[architecture];
  const path = `/usr/bin/qemu-${qemu}-static`;
  if (
    !(await access(path).then(
      () => true,
      () => false,
    ))
  )
    return undefined;
  const header = Buffer.alloc(20);
  header.set([0x7f, 0x45, 0x4c, 0x46, elfBits === 64 ? 2 : 1, 1, 1]);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(elfMachine, 18);
  // Any system ABI, and programs that are position-independent (type 3) beside those that are not (type 2).
  const mask = Buffer.alloc(20, 0xff);
  mask.fill(0, 7, 16);
  mask[16] = 0xfe;
  const escaped = (bytes: Buffer) =>
    [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  // F: opened now, since it is not to be found in the other root; O and C: with the credentials of the program.
  return `:tandem-${qemu}:M::${escaped(header)}:${escaped(mask)}:${path}:OCF`;
}

function foreign(architecture: Architecture, cause: unknown): ImageError {
  return new ImageError(
    'wrongArchitecture',
    `packages for ${architecture} cannot be installed here: its programs do not run on this machine. Install qemu-user-static, and ` +
      'as root also register it (binfmt-support, or systemd-binfmt); a user with subordinate ids needs no registration (Linux 6.7). ' +
      'Or install the packages where the root file system is made, and give none here',
    { cause },
  );
}
