import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSite, administrator } from './grub/site.ts';
import { makeOverlay } from './machine/disk-overlay.ts';
import { machineArguments, machineKinds } from './machine/machine-kinds.ts';

const usage = `Usage: npm run qemu -- shell

  shell   a server on this machine, and a virtual device that knows it, with its serial line on this terminal
`;

if (process.argv[2] !== 'shell' || process.argv.length > 3) {
  process.stderr.write(usage);
  process.exit(1);
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const directory = await mkdtemp(join(tmpdir(), 'tandem-qemu-'));
try {
  const site = await openSite({
    directory,
    cache: join(tmpdir(), 'tandem-qemu-cache'),
    debian: 'full',
    say: print,
  });
  try {
    const disk = await makeOverlay(site.disk, join(directory, 'shell.qcow2'));
    print(`
The server:  https://localhost:${String(site.place.port)}/ui/  user ${administrator}  password ${site.password}
Its command line tools trust it by ${join(directory, 'server.pem')}; artifacts are signed with ${join(directory, 'signing.pem')}.
Root is signed in on the device. Ctrl-A X ends it, and everything with it. What it begins with is an emulated PC: give it a minute.
`);
    const { program } = machineKinds['x86-64'];
    const args = machineArguments(
      { kind: 'x86-64', disk: { path: disk, format: 'qcow2' }, processors: 2 },
      join(directory, 'monitor'),
    ).map((argument) => (argument === 'stdio' ? 'mon:stdio' : argument));
    const machine = spawn(program, args, { stdio: 'inherit' });
    // Whoever ends this program ends the device; its own terminal keys go to the device.
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, () => machine.kill());
    await new Promise((resolve) => machine.once('close', resolve).once('error', resolve));
  } finally {
    await site.close();
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
