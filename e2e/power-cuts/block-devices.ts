import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Medium } from './medium.ts';
import { serveMedia } from './nbd-server.ts';

const run = promisify(execFile);

export interface BlockDevices {
  /** Path of the block device of each medium, ending in its name. */
  readonly paths: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/**
 * Makes block devices of media whose every request this process answers: our NBD server, QEMU's storage daemon as its client, which
 * shows each as a file (FUSE), and a loop device over that file with O_DIRECT, so that nothing but the block device's own cache is
 * between a program and the medium. A node with the medium's name stands for a name like `mmcblk0p2`. Needs root.
 */
export async function openBlockDevices(
  directory: string,
  media: Readonly<Record<string, Medium>>,
): Promise<BlockDevices> {
  const names = Object.keys(media);
  await mkdir(directory, { recursive: true });
  const socket = join(directory, 'nbd');
  const server = await serveMedia(socket, media);
  const fileOf = (name: string) => join(directory, `${name}.file`);
  for (const name of names) await writeFile(fileOf(name), '');
  const daemon = spawn(
    'qemu-storage-daemon',
    names.flatMap((name, index) => [
      '--blockdev',
      `driver=nbd,node-name=node${index},server.type=unix,server.path=${socket},export=${name}`,
      '--export',
      `type=fuse,id=export${index},node-name=node${index},mountpoint=${fileOf(name)},writable=on`,
    ]),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaint = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const ended = once(daemon, 'exit');
  const loops: string[] = [];
  const close = async () => {
    for (const loop of loops) await run('losetup', ['--detach', loop]).catch(() => undefined);
    daemon.kill('SIGTERM');
    await ended;
    await server.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const paths: Record<string, string> = {};
    for (const name of names) {
      await until(
        async () => (await stat(fileOf(name))).size === media[name]?.sizeBytes,
        () => complaint,
      );
      await oneRequestAtATime(fileOf(name));
      const { stdout } = await run('losetup', ['--find', '--show', '--direct-io=on', fileOf(name)]);
      const loop = stdout.trim();
      loops.push(loop);
      const node = join(directory, name);
      await run('mknod', [node, 'b', '7', loop.replace('/dev/loop', '')]);
      paths[name] = node;
    }
    return { paths, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the kernel keeps of a block device in memory is written, as far as it can be, and forgotten. */
export async function forgetCache(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.sync().catch(() => undefined);
  await file.close();
  await run('blockdev', ['--flushbufs', path]).catch(() => undefined);
}

/**
 * QEMU before 10.1 may read the next request into the buffer of the one under way (its commit "fuse: Copy write buffer content before
 * polling"); so the kernel is told to send no second one. It also makes the order of requests that of the program.
 */
async function oneRequestAtATime(file: string): Promise<void> {
  const { stdout: connection } = await run('stat', ['--format=%Ld', file]);
  const places = '/sys/fs/fuse/connections';
  const script = `mount -t fusectl fusectl ${places} && echo 1 > ${places}/${connection.trim()}/max_background`;
  await run('unshare', ['--mount', 'sh', '-c', script]);
}

const startLimitMs = 10_000;

async function until(isSo: () => Promise<boolean>, complaint: () => string): Promise<void> {
  const deadline = Date.now() + startLimitMs;
  while (!(await isSo())) {
    if (Date.now() > deadline)
      throw new Error(
        `A block device of the test is not as it should be after ${startLimitMs / 1000} s: ${complaint()}`,
      );
    await wait(5);
  }
}
