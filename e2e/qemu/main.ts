import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSite, administrator } from './grub/site.ts';
import { makeOverlay } from './machine/disk-overlay.ts';
import { startEmulator } from './machine/emulator.ts';

const usage = `Usage: npm run qemu [-- shell]

          updates a virtual device end to end, and has GRUB take back a kernel that panics; more is in npm run nightly
  shell   a server on this machine, and a virtual device that knows it, with its serial line on this terminal
`;

const project = join(import.meta.dirname, '..', '..');
const [command, ...others] = process.argv.slice(2);
if (command === undefined) {
  const tests = ['scripts/run-suites.ts', 'e2e-qemu'];
  const { status } = spawnSync(process.execPath, tests, { cwd: project, stdio: 'inherit' });
  process.exit(status ?? 1);
}
if (command !== 'shell' || others.length > 0) {
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
The device asks there to be let in as soon as it runs: accept it under Devices.
The command line tools trust the server by ${join(directory, 'server.pem')}; artifacts are signed with ${join(directory, 'signing.pem')}.
Root is signed in on the device. Ctrl-A X ends it, and everything with it. What it begins with is an emulated PC: give it a minute.
`);
    const hardware = { kind: 'x86-64', disk: { path: disk, format: 'qcow2' }, processors: 2 } as const;
    const places = { monitorPath: join(directory, 'monitor'), serialLine: 'terminal' } as const;
    let isOver = false;
    let machine = await startEmulator(hardware, places);
    // Whoever ends this program ends the device; its own terminal keys go to the device.
    const end = (): void => {
      isOver = true;
      machine.child.kill();
    };
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
    while ((await machine.ended) === 'reset' && !isOver) machine = await startEmulator(hardware, places);
  } finally {
    await site.close();
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
