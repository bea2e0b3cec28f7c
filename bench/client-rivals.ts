import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { measure, type Cost } from './artifact-measure.ts';
import type { ClientDevice } from './client-device.ts';

/*
 * RAUC and SWUpdate on the device of the client benches: the same image into the same partition, signed as each of them wants it.
 */

/** Ends with a clear word when they are not the ones the figures are to be compared with. */
export function assertRivals(): void {
  for (const [name, version] of [
    ['mender-client', '3.4.'],
    ['rauc', '1.8-'],
    ['swupdate', '2022.12'],
  ] as const) {
    const found = execFileSync('dpkg-query', ['--show', '--showformat=${Version}', name], {
      encoding: 'utf8',
    });
    if (!found.startsWith(version)) throw new Error(`needs ${name} ${version}* of Debian, found ${found}`);
  }
}

/** A key and a certificate that both accept. */
export function makeSigner(directory: string): { readonly key: string; readonly certificate: string } {
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  const uses = 'extendedKeyUsage=emailProtection,codeSigning';
  const how = ['-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=bench', '-days', '3650', '-addext', uses];
  execFileSync('openssl', ['req', '-x509', ...how, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  return { key, certificate };
}

type Signer = ReturnType<typeof makeSigner>;

/** Streams one compressed file into the partition, as `installed-directly` means. */
export function swupdate(
  { directory, inactive }: ClientDevice,
  image: string,
  compression: 'zstd' | 'zlib',
  { key, certificate }: Signer,
): () => Cost {
  const home = join(directory, `swupdate-${compression}`);
  mkdirSync(home);
  const at = (name: string) => join(home, name);
  const compressor = { zstd: 'zstd', zlib: 'gzip' }[compression];
  execFileSync('sh', ['-c', `exec ${compressor} --quiet --stdout "$1" > "$2"`, 'sh', image, at('image')]);
  const [sha256] = execFileSync('sha256sum', [at('image')], { encoding: 'utf8' }).split(' ');
  writeFileSync(
    at('sw-description'),
    `software = {
  version = "1";
  hardware-compatibility: [ "1.0" ];
  images: ( {
    filename = "image"; device = "${inactive}"; type = "raw";
    compressed = "${compression}"; installed-directly = true; sha256 = "${sha256}";
  } );
}
`,
  );
  const how = ['-sign', '-binary', '-nosmimecap', '-outform', 'DER', '-signer', certificate, '-inkey', key];
  execFileSync('openssl', ['cms', ...how, '-in', at('sw-description'), '-out', at('sw-description.sig')]);
  const archive = 'cpio --quiet --create --format=crc > update.swu';
  const names = 'sw-description\nsw-description.sig\nimage\n';
  execFileSync('sh', ['-c', archive], { cwd: home, input: names });
  rmSync(at('image'));
  return () =>
    measure('sh', [
      '-c',
      'swupdate -i "$1" -H bench:1.0 -k "$2" && exec sync "$3"',
      'sh',
      at('update.swu'),
      certificate,
      inactive,
    ]);
}

/**
 * By its service, which is there before the clock starts, on a bus of its own. The bundle is of the format `plain`: the squashfs in it is
 * compressed with gzip, and read by the kernel on behalf of the service.
 */
export async function startRauc(
  { directory, active, inactive }: ClientDevice,
  image: string,
  { key, certificate }: Signer,
): Promise<{ readonly install: () => Cost; readonly stop: () => Promise<void> }> {
  const home = join(directory, 'rauc');
  const at = (name: string) => join(home, name);
  for (const path of [home, at('content'), at('mount')]) mkdirSync(path);
  const address = `unix:path=${at('bus')}`;
  const environment = {
    ...process.env,
    DBUS_STARTER_BUS_TYPE: 'session',
    DBUS_SESSION_BUS_ADDRESS: address,
  };
  copyFileSync(image, at('content/rootfs.img'));
  writeFileSync(
    at('content/manifest.raucm'),
    '[update]\ncompatible=bench\nversion=1\n[image.rootfs]\nfilename=rootfs.img\n',
  );
  execFileSync(
    'rauc',
    [
      'bundle',
      '--mksquashfs-args=-Xcompression-level 6',
      `--cert=${certificate}`,
      `--key=${key}`,
      at('content'),
      at('update.raucb'),
    ],
    {
      stdio: 'ignore',
    },
  );
  rmSync(at('content'), { recursive: true });
  const slot = (number: number, device: string, name: string) =>
    `[slot.rootfs.${String(number)}]\ndevice=${device}\ntype=raw\nbootname=${name}\n`;
  writeFileSync(
    at('system.conf'),
    `[system]\ncompatible=bench\nbootloader=noop\nmountprefix=${at('mount')}\nstatusfile=${at('status')}\n` +
      `[keyring]\npath=${certificate}\ncheck-purpose=codesign\n` +
      slot(0, active, 'A') +
      slot(1, inactive, 'B'),
  );
  const bus = spawn('dbus-daemon', ['--session', '--nofork', `--address=${address}`, '--print-address'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(bus.stdout, 'data');
  const words = ['-c', at('system.conf'), '--override-boot-slot=A', 'service'];
  const service = spawn('rauc', words, { env: environment, stdio: 'ignore' });
  const { pid } = service;
  if (pid === undefined) throw new Error('rauc does not start');
  await serviceIsThere(environment);
  const client = ['sh', '-c', 'rauc install "$1" && exec sync "$2"', 'sh', at('update.raucb'), inactive];
  const installing = [`DBUS_STARTER_BUS_TYPE=session`, `DBUS_SESSION_BUS_ADDRESS=${address}`, ...client];
  return {
    install: () => {
      const before = cpuSecondsOf(pid);
      const cost = measure('env', installing);
      return {
        ...cost,
        cpuSeconds: cost.cpuSeconds + cpuSecondsOf(pid) - before,
        peakMiB: peakMiBOf(pid),
      };
    },
    stop: async () => {
      for (const child of [service, bus]) {
        const exited = once(child, 'exit');
        child.kill();
        await exited;
      }
    },
  };
}

async function serviceIsThere(environment: NodeJS.ProcessEnv): Promise<void> {
  const limit = AbortSignal.timeout(10_000);
  for (;;) {
    limit.throwIfAborted();
    try {
      execFileSync('rauc', ['status'], { env: environment, stdio: 'ignore' });
      return;
    } catch {
      await wait(100);
    }
  }
}

/** User and system time of a process and of its children that have ended. */
function cpuSecondsOf(pid: number): number {
  const fields =
    readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
      .split(') ')
      .at(-1)
      ?.split(' ') ?? [];
  // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), in ticks of 1/100 s.
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

function peakMiBOf(pid: number): number {
  const [, kiB] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
  return Number(kiB) / 1024;
}
