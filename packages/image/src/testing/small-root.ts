import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { programRunner } from '../run-program.ts';
import type { World } from '../world.ts';

/** The headers of programs and kernels are all that is looked at. */
export const elf = (machine: number, bits: 32 | 64 = 64): Buffer => {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, 1, 1]);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  return header;
};
export const x86Kernel = (): Buffer => {
  const kernel = Buffer.alloc(4096);
  kernel.write('HdrS', 0x202, 'latin1');
  kernel.writeUInt16LE(1, 0x236);
  return kernel;
};
export const armKernel = (): Buffer => {
  const kernel = Buffer.alloc(4096);
  kernel.write('ARM\x64', 56, 'latin1');
  return kernel;
};

export type Tree = Readonly<Record<string, string | Uint8Array | { readonly linkTo: string }>>;

/** The least that is taken for a Debian for amd64. */
export const smallRoot: Tree = {
  'bin/sh': elf(62),
  'etc/os-release': 'ID=debian\n',
  'etc/fstab': 'UUID=1234 / ext4 defaults 0 1\ntmpfs /tmp tmpfs defaults 0 0\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'boot/vmlinuz-6.1.0': x86Kernel(),
  vmlinuz: { linkTo: 'boot/vmlinuz-6.1.0' },
  'usr/bin/mender-update': '#!/bin/sh\n',
  'usr/sbin/sfdisk': '',
  'usr/sbin/resize2fs': '',
};

/** Puts these files into a directory, and answers it. */
export async function makeTree(tree: Tree, directory: string): Promise<string> {
  for (const [path, content] of Object.entries(tree)) {
    const at = join(directory, path);
    await mkdir(dirname(at), { recursive: true });
    if (typeof content === 'object' && 'linkTo' in content) await symlink(content.linkTo, at);
    else {
      await rm(at, { force: true });
      await writeFile(at, content);
      await chmod(at, /^(bin|usr\/s?bin)\//.test(path) ? 0o755 : 0o644);
    }
  }
  return directory;
}

/** The real world, with a mouth that is listened to. */
export function testWorld(
  more: Partial<World> = {},
): World & { readonly said: () => { out: string; err: string } } {
  const texts = { out: '', err: '' };
  const listen = (to: keyof typeof texts) =>
    new PassThrough().setEncoding('utf8').on('data', (text: string) => void (texts[to] += text));
  const signal = new AbortController().signal;
  const run = programRunner(process.env, signal);
  return {
    stdout: listen('out'),
    stderr: listen('err'),
    run,
    runAtEnd: run,
    environment: process.env,
    userId: process.getuid?.() ?? 0,
    nowMs: () => 1_700_000_000_000,
    boardDirectory: join(import.meta.dirname, '../../boards'),
    temporaryDirectory: tmpdir(),
    signal,
    ...more,
    said: () => texts,
  };
}
