import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { CommandLine } from './command-line.ts';
import { CommandError } from './exit-status.ts';
import { runProgram } from './image/run-program.ts';
import { reasonOf } from './keys.ts';
import type { World } from './world.ts';

/** A root file system taken from a running device. */
export interface Snapshot {
  readonly path: string;
  /** What the device says it provides of `rootfs-image.*`. */
  readonly provides: Readonly<Record<string, string>>;
}

/** How long the device may take until it begins; it freezes its file system first. */
const beginWithinMs = 120_000;
const beginMark = 'Initializing snapshot';

/** Runs the newer program where there is one, as root. */
const remote = (newer: string, older: string) =>
  `if command -v ${newer.split(' ')[0]} >/dev/null 2>&1; then set -- ${newer}; else set -- ${older}; fi; ` +
  `if [ "$(id -u)" -ne 0 ]; then set -- sudo -n "$@"; fi; exec "$@"`;

/**
 * Takes a snapshot of the root file system of `ssh://user@host[:port]`, with the device's own snapshot program, which holds the file system still
 * while it is read. The image lies in a temporary directory while `action` runs. Throws `CommandError`.
 */
export async function withSnapshot(
  url: string,
  line: CommandLine,
  world: World,
  action: (snapshot: Snapshot) => Promise<void>,
): Promise<void> {
  const [, target, port] = /^ssh:\/\/([\w.@-]*[\w.-])(?::(\d{1,5}))?$/.exec(url) ?? [];
  if (target === undefined || target.startsWith('-')) {
    throw new CommandError(
      'invalidParameters',
      `${url}: not of the form ssh://user@host or ssh://user@host:port`,
    );
  }
  const ssh = [
    ...line.list('ssh-args').flatMap((text) => text.split(' ')),
    ...(port === undefined ? [] : ['-p', port]),
    '-o',
    'ServerAliveInterval=30',
    '-o',
    'ServerAliveCountMax=1',
    target,
  ];
  const directory = await mkdtemp(join(line.text('tmp') ?? tmpdir(), 'mender-artifact-'));
  try {
    const path = join(directory, 'rootfs.img');
    await fetchImage([...ssh, remote('mender-snapshot dump', 'mender snapshot dump')], path, world);
    await repair(path, world);
    await action({ path, provides: await fetchProvides(ssh, world) });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function fetchImage(args: readonly string[], path: string, world: World): Promise<void> {
  const child = spawn('ssh', args, {
    stdio: ['inherit', 'pipe', 'pipe'],
    env: { ...world.environment },
    signal: world.signal,
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  closed.catch(() => undefined);
  let said = '';
  let hasBegun = false;
  const limit = setTimeout(() => child.kill('SIGKILL'), beginWithinMs);
  child.stderr.on('data', (piece: Buffer) => {
    // What the device says goes to the user; a password may be asked for.
    world.stderr.write(piece);
    said = (said + piece.toString()).slice(-2000);
    if (hasBegun || !said.includes(beginMark)) return;
    hasBegun = true;
    clearTimeout(limit);
  });
  try {
    await pipeline(child.stdout, createWriteStream(path, { mode: 0o600 }), { signal: world.signal });
    const [exitCode] = await closed;
    if (exitCode === 0 && hasBegun) return;
    const reason = hasBegun
      ? `ended with status ${exitCode ?? 'none'}`
      : `no snapshot began within ${beginWithinMs / 1000} s`;
    throw new CommandError('failed', `the snapshot over ssh failed: ${reason}`);
  } catch (cause) {
    if (cause instanceof CommandError || world.signal.aborted) throw cause;
    throw new CommandError('failed', `the snapshot over ssh failed: ${reasonOf(cause)}`, { cause });
  } finally {
    clearTimeout(limit);
    child.kill('SIGKILL');
  }
}

/** A file system that was in use has a journal to be played back; e2fsck says 1 when it mended something. */
async function repair(path: string, world: World): Promise<void> {
  const options = { package: 'e2fsprogs', signal: world.signal };
  const isExt = (await runProgram('dumpe2fs', ['-h', path], options)).exitCode === 0;
  if (!isExt) return;
  const { exitCode, stdout } = await runProgram('e2fsck', ['-p', path], options);
  if (exitCode === 0 || exitCode === 1) return;
  throw new CommandError(
    'failed',
    `the snapshot is damaged: ${stdout.toString().trim().split('\n').at(-1) ?? ''}`,
  );
}

async function fetchProvides(ssh: readonly string[], world: World): Promise<Record<string, string>> {
  const command = remote('mender-update show-provides', 'mender show-provides');
  const child = spawn('ssh', [...ssh, command], {
    stdio: ['inherit', 'pipe', 'ignore'],
    env: { ...world.environment },
    signal: world.signal,
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  closed.catch(() => undefined);
  let text = '';
  for await (const piece of child.stdout as AsyncIterable<Buffer>)
    text = (text + piece.toString()).slice(0, 1_000_000);
  const [exitCode] = await closed;
  if (exitCode !== 0) {
    world.stderr.write('warning: the device did not tell what it provides; only what is given is written\n');
    return {};
  }
  const pairs = text.split('\n').map((line) => /^(rootfs-image\.[^=]+)=(.*)$/.exec(line));
  return Object.fromEntries(pairs.flatMap((pair) => (pair === null ? [] : [[pair[1] ?? '', pair[2] ?? '']])));
}
