import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/** The smallest Debian that has what a package depends on, in a directory of its own. Runs as root, or by sudo. */
export interface DebianChroot {
  readonly root: string;
  /** Runs a program to its end; `user` other than root by name. */
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Ended>;
  /** Starts a program; signals to the process reach it. */
  readonly start: (args: readonly string[], options?: RunOptions) => ChildProcess;
  /** Puts files into /packages. */
  readonly bring: (...files: readonly string[]) => Promise<void>;
  readonly remove: () => Promise<void>;
}

export interface RunOptions {
  readonly user?: string;
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly code: number | null;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];

/** Takes half a minute: packages come from the archive this machine uses. */
export async function makeDebianChroot(packages: readonly string[]): Promise<DebianChroot> {
  const root = await mkdtemp(join(tmpdir(), 'tandem-chroot-'));
  const made = await ended(
    launch([
      '/usr/bin/mmdebstrap',
      '--variant=essential',
      `--include=${packages.join(',')}`,
      // It lives for a minute: what only costs time is left out.
      '--aptopt=Acquire::Languages "none"',
      '--dpkgopt=force-unsafe-io',
      '--dpkgopt=path-exclude=/usr/share/locale/*',
      await suiteOfThisMachine(),
      root,
    ]),
  );
  if (made.code !== 0) throw new Error(`mmdebstrap ended with ${made.code}: ${made.output}`);
  const start = (args: readonly string[], { user = 'root', input, environment = {} }: RunOptions = {}) => {
    const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const change = user === 'root' ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups'];
    const inside = ['env', '-i', `PATH=${path}`, 'HOME=/', ...settings, ...change, ...args];
    // Each step becomes the next in the same process, so that a signal reaches the program itself.
    return launch(['chroot', root, ...inside], input);
  };
  return {
    root,
    start,
    run: (args, options) => ended(start(args, options)),
    bring: async (...files) => {
      await ended(launch(['install', '-d', '-m', '0777', join(root, 'packages')]));
      for (const file of files) await copyFile(file, join(root, 'packages', basename(file)));
    },
    remove: async () => {
      await ended(launch(['rm', '-rf', '--one-file-system', root]));
      await rm(root, { recursive: true, force: true });
    },
  };
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

async function suiteOfThisMachine(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8');
  return /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1] ?? 'stable';
}

function launch(args: readonly string[], input = ''): ChildProcess {
  const [program = '', ...rest] = [...asRoot, ...args];
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return child;
}

async function ended(child: ChildProcess): Promise<Ended> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
