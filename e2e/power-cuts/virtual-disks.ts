import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Medium } from './medium.ts';
import { serveMedia } from './nbd-server.ts';

export interface VirtualDisks<Name extends string> {
  /** The socket (vhost-user) by which a virtual machine has each medium as a disk. */
  readonly sockets: Readonly<Record<Name, string>>;
  close(): Promise<void>;
}

const startLimitMs = 30_000;

/**
 * Makes disks for one boot of a virtual machine, whose every request this process answers in the order in which the machine asks: our NBD
 * server, and QEMU's storage daemon as its client.
 */
export async function openVirtualDisks<Name extends string>(
  directory: string,
  media: Readonly<Record<Name, Medium>>,
): Promise<VirtualDisks<Name>> {
  const names = Object.keys(media) as Name[];
  await mkdir(directory, { recursive: true });
  const server = await serveMedia(join(directory, 'nbd'), media);
  const sockets = Object.fromEntries(
    names.map((name) => [name, join(directory, `${name}.socket`)]),
  ) as Record<Name, string>;
  const daemon = spawn(
    'qemu-storage-daemon',
    names.flatMap((name, index) => [
      '--blockdev',
      `driver=nbd,node-name=node${index},server.type=unix,server.path=${join(directory, 'nbd')},export=${name}`,
      '--export',
      `type=vhost-user-blk,id=export${index},node-name=node${index},addr.type=unix,addr.path=${sockets[name]},writable=on`,
    ]),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaint = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const ended = once(daemon, 'exit');
  const deadline = Date.now() + startLimitMs;
  const close = async () => {
    daemon.kill('SIGTERM');
    await ended;
    await server.close();
    await rm(directory, { recursive: true, force: true });
  };
  while (!names.every((name) => existsSync(sockets[name]))) {
    if (Date.now() > deadline || daemon.exitCode !== null) {
      await close();
      throw new Error(`The disks of the device were not there after ${startLimitMs / 1000} s: ${complaint}`);
    }
    await wait(10);
  }
  return { sockets, close };
}
