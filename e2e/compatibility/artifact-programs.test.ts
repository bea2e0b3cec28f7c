import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import {
  nodeDecompressors,
  programDecompressor,
  readArtifact,
  rootfsImage,
  writeArtifactFile,
  type RestartPoint,
} from '@tandem/artifact';
import { xzCompressor, xzDecompressor } from '@tandem/artifact/xz';

/* Artifacts of ours and the programs people unpack and edit them with: tar, gzip, xz, zstd, mtools. */

const project = resolve(import.meta.dirname, '../..');
const ours = join(project, 'node_modules/.bin/mender-artifact');
const directory = mkdtempSync(join(tmpdir(), 'artifact-programs-'));
after(() => rmSync(directory, { recursive: true }));

// Twelve segments' worth would be slow for xz; two and a bit show all there is to see.
const image = join(directory, 'rootfs.ext4');
const content = Buffer.concat([
  randomBytes(1_000_000),
  Buffer.alloc(5_000_000, 'text '),
  randomBytes(3_333_333),
]);
writeFileSync(image, content);

const programs = { none: 'cat', gzip: 'gzip', lzma: 'xz', zstd: 'zstd' } as const;
const extensions = { none: '', gzip: '.gz', lzma: '.xz', zstd: '.zst' } as const;
const description = {
  artifactName: 'r',
  depends: { deviceTypes: ['d'] },
  payload: rootfsImage({ artifactName: 'r', image: { path: image } }),
};

for (const compression of ['none', 'gzip', 'lzma', 'zstd'] as const) {
  test(`tar and ${programs[compression]} unpack what was written with ${compression}`, async () => {
    const path = join(directory, `${compression}.mender`);
    await writeArtifactFile(description, path, {
      compression,
      ...(compression === 'lzma' ? { compressors: { lzma: xzCompressor } } : {}),
    });
    const options = { maxBuffer: 2 ** 28 };
    const inner = execFileSync('tar', ['-xOf', path, `data/0000.tar${extensions[compression]}`], options);
    const program = programs[compression];
    const tar = compression === 'none' ? inner : execFileSync(program, ['-dc'], { input: inner, ...options });
    assert.ok(execFileSync('tar', ['-xO', 'rootfs.ext4'], { input: tar, ...options }).equals(content));
    if (compression !== 'none') execFileSync(program, ['-t'], { input: inner });
  });
}

for (const [compression, builtIn, program] of [
  ['zstd', nodeDecompressors.zstd, programDecompressor('zstd')],
  ['lzma', xzDecompressor, programDecompressor('xz')],
] as const) {
  test(`the program reads ${compression} as the built-in codec does, restart points too`, async () => {
    const path = join(directory, `points-${compression}.mender`);
    await writeArtifactFile(description, path, {
      compression,
      ...(compression === 'lzma' ? { compressors: { lzma: xzCompressor } } : {}),
    });
    const pointsWith = async (codec: typeof program | undefined) => {
      const points: RestartPoint[] = [];
      const decompressors = codec === undefined ? {} : { [compression]: codec };
      const bytes = async function* () {
        yield readFileSync(path);
      };
      const artifact = await readArtifact(bytes(), {
        decompressors,
        onRestartPoint: (point) => void points.push(point),
      });
      for await (const file of artifact.files()) {
        const pieces: Uint8Array[] = [];
        for await (const piece of file.content) pieces.push(piece);
        assert.ok(Buffer.concat(pieces).equals(content));
      }
      return points;
    };
    const points = await pointsWith(builtIn);
    assert.ok(points.length >= 2);
    assert.deepEqual(await pointsWith(program), points);
  });

  test(`the program is ended when the reading of ${compression} is`, { timeout: 20_000 }, async () => {
    async function* endless(): AsyncIterable<Uint8Array> {
      const member = await (compression === 'lzma'
        ? xzCompressor(content.subarray(0, 4 << 20), 1)
        : zstd(content));
      for (;;) yield member;
    }
    for await (const piece of program(endless())) {
      assert.ok(piece.length > 0);
      break;
    }
  });
}

function zstd(bytes: Buffer): Promise<Buffer> {
  return Promise.resolve(execFileSync('zstd', ['-c', '-q'], { input: bytes, maxBuffer: 2 ** 28 }));
}

test('files of a vfat image are copied, made, read and removed, alone and as boot partition', () => {
  const fat = join(directory, 'boot.img');
  writeFileSync(fat, '');
  truncateSync(fat, 4 << 20);
  const environment = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  execFileSync('mformat', ['-i', fat, '-T', '8192', '::'], { env: environment });
  const note = join(directory, 'note.txt');
  writeFileSync(note, 'a note\n');
  const disk = join(directory, 'disk.sdimg');
  makeDisk(disk, readFileSync(fat));
  for (const [target, folder] of [
    [`${fat}:/`, 'overlays'],
    [`${disk}:/uboot/`, 'overlays'],
  ] as const) {
    must('install', '-d', `${target}${folder}`);
    must('cp', note, `${target}${folder}/note.txt`);
    assert.equal(must('cat', `${target}${folder}/note.txt`), 'a note\n');
    must('rm', `${target}${folder}/note.txt`);
    assert.equal(spawnSync(ours, ['cat', `${target}${folder}/note.txt`]).status, 1);
    must('rm', '-r', `${target}${folder}`);
  }
});

/** Partitions boot, A, B and data, of which only the first is looked at here. */
function makeDisk(path: string, boot: Buffer): void {
  const first = 1 << 20;
  const bytes = Buffer.alloc(first + 4 * boot.length);
  for (let index = 0; index < 4; index += 1) {
    const entry = 446 + 16 * index;
    bytes[entry + 4] = 0x0c;
    bytes.writeUInt32LE((first + index * boot.length) / 512, entry + 8);
    bytes.writeUInt32LE(boot.length / 512, entry + 12);
  }
  bytes.writeUInt16LE(0xaa55, 510);
  boot.copy(bytes, first);
  writeFileSync(path, bytes);
}

function must(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(ours, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  return stdout;
}

test('the same inputs give the same bytes for any user, place, time zone, locale, umask and number of processors', () => {
  const made: Buffer[] = [];
  const script = join(directory, 'scripts');
  execFileSync('mkdir', ['-p', script]);
  writeFileSync(join(script, 'ArtifactInstall_Enter_00'), '#!/bin/sh\n');
  writeFileSync(join(script, 'ArtifactCommit_Leave_00'), '#!/bin/sh\n');
  for (const [index, settings] of [
    'umask 022',
    'umask 077; export TZ=Asia/Kolkata LANG=de_DE.UTF-8 LC_ALL=C.UTF-8; taskset 1 true 2>/dev/null && exec_prefix="taskset 1"',
    'cd /; umask 000; export TZ=America/St_Johns HOME=/nonexistent USER=nobody UV_THREADPOOL_SIZE=1',
  ].entries()) {
    const place = join(directory, `place-${index}`);
    execFileSync('mkdir', ['-p', place]);
    execFileSync('cp', [image, place]);
    execFileSync('touch', ['-d', `200${index}-01-01`, join(place, 'rootfs.ext4')]);
    for (const compression of ['none', 'gzip', 'lzma', 'zstd', 'zstd_best']) {
      const out = join(place, `${compression}.mender`);
      const command = `${settings}; SOURCE_DATE_EPOCH=1700000000 $exec_prefix ${ours} write rootfs-image -n r -c d -f ${place}/rootfs.ext4 -s ${script} --compression ${compression} -k ${project}/packages/artifact/golden/good/keys/rsa2048-pkcs1.key.pem -o ${out}`;
      execFileSync('sh', ['-c', command]);
      made.push(readFileSync(out));
    }
  }
  for (let at = 5; at < made.length; at += 1)
    assert.ok(made[at]?.equals(made[at % 5] ?? Buffer.alloc(0)), `artifact ${at}`);
});
