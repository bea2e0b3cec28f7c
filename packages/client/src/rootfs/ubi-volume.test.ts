import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { PayloadFile, PayloadHeader } from '@tandem/artifact';
import { inMemoryEnvironment } from '@tandem/boot-environment';
import { linuxSystem } from '../system/linux-system.ts';
import { findPartitions, runningPartition } from './partitions.ts';
import { rootfsImage } from './rootfs-image.ts';
import { ubiNodeOf, ubiWordOfRoot, writeUbiVolume } from './ubi-volume.ts';

/*
 * Root file systems on UBI volumes, with stand-ins: files for the volumes and for what the kernel tells of them, and a program in the
 * place of ubiupdatevol with the kernel's rule that an update that was not finished leaves a volume nobody can mount.
 */
const directory = await mkdtemp(join(tmpdir(), 'ubi-volume-'));
after(() => rm(directory, { recursive: true }));
const forever = new AbortController().signal;
const eraseBlockBytes = 4096;

const ubiupdatevol = `#!/bin/sh
echo "$*" >> "$CALLS"
size=\${2#--size=}
[ "$3" = - ] || exit 1
printf broken > "$1.new"
head -c "$size" >> "$1.new"
if [ "$(wc -c < "$1.new")" -ne $((size + 6)) ]; then
  mv "$1.new" "$1"
  echo "cannot read $size bytes from stdin" >&2
  exit 255
fi
tail -c "+7" "$1.new" > "$1"
rm "$1.new"
`;

/** A board with the root file systems ubi0_3 (rootfsa) and ubi0_4 (rootfsb) of 50 erase blocks each, which runs from the first. */
async function board(script = ubiupdatevol) {
  const home = await mkdtemp(join(directory, 'board-'));
  const at = (...parts: string[]) => join(home, ...parts);
  for (const name of ['dev', 'programs', 'tree']) await mkdir(at(name));
  const names = { ubi0_3: 'rootfsa', ubi0_4: 'rootfsb' } as const;
  for (const [node, name] of Object.entries(names)) {
    await mkdir(at('ubi', node), { recursive: true });
    await writeFile(at('dev', node), `old ${name}`);
    const facts = { name, reserved_ebs: 50, usable_eb_size: eraseBlockBytes };
    for (const [fact, value] of Object.entries(facts)) await writeFile(at('ubi', node, fact), `${value}\n`);
  }
  // The flash itself is in the class, too.
  await mkdir(at('ubi', 'ubi0'));
  await writeFile(
    at('mounts'),
    'rootfs / rootfs rw 0 0\nubi0:rootfsa / ubifs rw,relatime 0 0\nproc /proc proc rw 0 0\n',
  );
  await writeFile(at('cmdline'), 'console=ttyS0 ubi.mtd=rootfs root=ubi0:rootfsa rootfstype=ubifs\n');
  await writeFile(at('programs/ubiupdatevol'), script);
  await chmod(at('programs/ubiupdatevol'), 0o755);
  const system = linuxSystem({
    log: () => undefined,
    environment: { PATH: `${at('programs')}:${process.env['PATH'] ?? ''}`, CALLS: at('calls') },
    killGraceMs: 500,
  });
  const places = { devices: at('dev'), mounts: at('mounts'), ubiClass: at('ubi') };
  const environment = inMemoryEnvironment({
    mender_boot_part: '3',
    mender_boot_part_hex: '3',
    upgrade_available: '0',
  });
  const installer = rootfsImage({
    system,
    rootfsPartA: 'ubi0_3',
    rootfsPartB: 'ubi0:rootfsb',
    kernelCommandLine: at('cmdline'),
    bootEnvironment: () => Promise.resolve(environment),
    workDirectory: at('tree'),
    stepTimeoutMs: 10_000,
    places,
  });
  return { at, system, places, environment, installer };
}

const image = Buffer.alloc(150_000, 'a new root file system ');
const header = { type: 'rootfs-image' } as PayloadHeader;

async function* payload(
  content: Buffer,
  { fault }: { readonly fault?: Error } = {},
): AsyncGenerator<PayloadFile> {
  yield {
    payloadIndex: 0,
    name: 'rootfs.ubifs',
    sizeBytes: image.length,
    contentOffset: 0,
    mode: 0o644,
    modifiedAt: 0,
    sha256: createHash('sha256').update(image).digest('hex'),
    content: (async function* () {
      for (let at = 0; at < content.length; at += 10_000)
        yield await Promise.resolve(content.subarray(at, at + 10_000));
      if (fault !== undefined) throw fault;
    })(),
  };
}

describe('a root file system update on UBI volumes', () => {
  test('is written as a whole, by size, read back, tried and committed', async () => {
    const { installer, at, environment } = await board();
    await installer.download(header, payload(image), forever);
    assert.ok((await readFile(at('dev/ubi0_4'))).equals(image));
    assert.equal(await readFile(at('calls'), 'utf8'), `${at('dev/ubi0_4')} --size=${image.length} -\n`);
    assert.equal(await readFile(at('dev/ubi0_3'), 'utf8'), 'old rootfsa', 'what runs is not touched');
    await installer.artifactInstall(forever);
    const variables = await environment.read();
    assert.deepEqual([variables.get('mender_boot_part'), variables.get('upgrade_available')], ['4', '1']);
    // The kernel names the volume in /proc/mounts, as it was told on its command line.
    await writeFile(at('mounts'), 'ubi0:rootfsb / ubifs rw 0 0\n');
    await installer.artifactVerifyReboot(forever);
    await installer.artifactCommit(forever);
    assert.equal((await environment.read()).get('upgrade_available'), '0');
  });

  test('that breaks off ends the program, leaves a volume nobody mounts, and begins at zero the next time', async () => {
    const { installer, at, environment } = await board();
    const fault = new Error('connection reset');
    const stored: number[] = [];
    const progress = {
      isDue: () => true,
      stored: async ({ bytes }: { bytes: number }) => void stored.push(bytes),
    };
    await assert.rejects(
      installer.download(header, payload(image.subarray(0, 90_000), { fault }), forever, progress),
      fault,
    );
    assert.deepEqual(stored, [], 'nothing is said to be stored');
    assert.equal(
      await installer.storedContent?.({ target: at('dev/ubi0_4'), bytes: 90_000 }, forever),
      undefined,
    );
    assert.ok(!(await readFile(at('dev/ubi0_4'))).equals(image));
    assert.equal((await environment.read()).get('mender_boot_part'), '3');
    await installer.download(header, payload(image), forever, progress);
    assert.ok((await readFile(at('dev/ubi0_4'))).equals(image));
  });

  // prettier-ignore
  const failures = [
    { name: 'is shorter than it says',             script: ubiupdatevol,                                               content: image.subarray(0, 90_000),     code: 'writeFailed', says: /exit code 255: cannot read 150000 bytes/ },
    { name: 'meets a program that fails',          script: '#!/bin/sh\necho "I/O error" >&2; exit 255\n',              content: image,                         code: 'writeFailed', says: /exit code 255: I\/O error/ },
    { name: 'is not what the medium then holds',   script: '#!/bin/sh\nhead -c 149999 > "$1"; echo x >> "$1"; cat >/dev/null\n', content: image,               code: 'writeFailed', says: /does not hold what was written/ },
  ] as const;
  for (const { name, script, content, code, says } of failures) {
    test(`that ${name} is a failure in words, and the flag stays`, async () => {
      const { installer, environment } = await board(script);
      await assert.rejects(installer.download(header, payload(content), forever), { code, message: says });
      assert.equal((await environment.read()).get('upgrade_available'), '0');
    });
  }

  test('that is larger than the volume is refused before anything is written', async () => {
    const { installer, at } = await board();
    await writeFile(at('ubi/ubi0_4/reserved_ebs'), '36\n');
    await assert.rejects(installer.download(header, payload(image), forever), {
      code: 'badImage',
      message: /150000 bytes and the partition 147456/,
    });
    assert.equal(await readFile(at('dev/ubi0_4'), 'utf8'), 'old rootfsb');
  });

  test('is ended when the flash takes no more bytes, and when it is called off', async () => {
    const { system, at } = await board('#!/bin/sh\nexec sleep 60\n');
    const endless = (async function* () {
      for (;;) yield await Promise.resolve(Buffer.alloc(65_536));
    })();
    const volume = at('dev/ubi0_4');
    await assert.rejects(writeUbiVolume(system.processes, volume, endless, 1 << 30, forever, 200), {
      code: 'storageHangs',
    });
    const stop = new AbortController();
    const waiting = (async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(10);
      setTimeout(() => stop.abort(new Error('SIGTERM')), 50);
      await new Promise((_resolve, reject) =>
        stop.signal.addEventListener('abort', () => reject(new Error('stopped'))),
      );
    })();
    await assert.rejects(
      writeUbiVolume(system.processes, volume, waiting, 1 << 30, stop.signal),
      /SIGTERM|stopped/,
    );
  });
});

describe('the volume a device runs from', () => {
  // prettier-ignore
  const rows = [
    { name: 'is what is mounted last as root',        mounts: 'ubi0:rootfsa / ubifs rw 0 0\nubi0:rootfsb / ubifs rw 0 0\n', cmdline: '',                        number: 4 },
    { name: 'may be named by its number',             mounts: 'ubi0_4 / ubifs rw 0 0\n',                                    cmdline: '',                        number: 4 },
    { name: 'is the one of the command line under an overlay', mounts: 'overlay / overlay rw 0 0\n',                        cmdline: 'root=ubi0:rootfsb',       number: 4 },
    { name: 'may be written with !',                  mounts: 'overlay / overlay rw 0 0\n',                                 cmdline: 'root=ubi0!rootfsa quiet', number: 3 },
    { name: 'may leave the flash out',                mounts: 'ubi:rootfsb / ubifs rw 0 0\n',                               cmdline: 'root=ubi0:rootfsa',       number: 4 },
  ] as const;
  for (const { name, mounts, cmdline, number } of rows) {
    test(name, async () => {
      const { at, places, system } = await board();
      await writeFile(at('mounts'), mounts);
      await writeFile(at('cmdline'), cmdline);
      const pair = await findPartitions('ubi0_3', 'ubi0_4', places);
      assert.equal((await runningPartition(system.files, pair, at('cmdline'), places)).number, number);
    });
  }

  test('that is neither of the two is said so', async () => {
    const { at, places, system } = await board();
    await writeFile(at('mounts'), 'ubi0:recovery / ubifs rw 0 0\n');
    await writeFile(at('cmdline'), 'root=ubi0:recovery');
    const pair = await findPartitions('ubi0_3', 'ubi0_4', places);
    await assert.rejects(runningPartition(system.files, pair, at('cmdline'), places), {
      code: 'badPartitions',
      message: /Cannot tell which root file system is running/,
    });
  });

  test('is not taken from words that mean no volume', async () => {
    const { places } = await board();
    for (const word of ['/dev/sda2', 'ubi0', 'ubi0:', 'ubi0:nothing', 'ubi1:rootfsa', 'xubi0_3'])
      assert.equal(await ubiNodeOf(word, places.ubiClass), undefined, word);
    assert.equal(ubiWordOfRoot('ubi0:rootfsa /data ubifs rw 0 0\n/dev/root / ext4 rw 0 0\n'), undefined);
  });
});
