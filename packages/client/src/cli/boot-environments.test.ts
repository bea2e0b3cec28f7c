import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { rootfsImage, writeArtifactFile } from '@tandem/artifact';
import {
  createGrubEnvironment,
  createUBootEnvironment,
  createUBootTwoCopies,
  fileLock,
  grubEnvironment,
  uBootEnvironment,
  uBootTwoCopies,
  type BootEnvironment,
  type CopyPair,
} from '@tandem/boot-environment';
import { buildBundle } from '../../build-bundle.ts';

/** A root file system installed, committed and rolled back by hand, by the bundled client, over each kind of boot environment. */
const directory = await mkdtemp(join(tmpdir(), 'boot-environments-'));
after(() => rm(directory, { recursive: true }));

const program = join(directory, 'mender-update');
const artifact = join(directory, 'version-2.mender');
const image = randomBytes(100_000);
before(async () => {
  await buildBundle(program);
  const source = { name: 'rootfs.ext4', sizeBytes: image.length, open: () => Readable.from([image]) };
  await writeArtifactFile(
    {
      artifactName: 'version-2',
      depends: { deviceTypes: ['virtual'] },
      payload: rootfsImage({ artifactName: 'version-2', image: source }),
    },
    artifact,
    { compression: 'gzip' },
  );
});

const settled = { mender_boot_part: '2', mender_boot_part_hex: '2', upgrade_available: '0', bootcount: '0' };
const onTrial = { ...settled, mender_boot_part: '3', mender_boot_part_hex: '3', upgrade_available: '1' };

/** Makes an environment of each kind in a directory, and gives it as the bootloader has it. */
const kinds = {
  'u-boot': async (home) => {
    await createUBootEnvironment(pairIn(home), settled);
    return uBootEnvironment(pairIn(home));
  },
  'u-boot-two-copies': async (home) => {
    await createUBootTwoCopies(pairIn(home), settled);
    return uBootTwoCopies(pairIn(home));
  },
  grub: async (home) => {
    await createGrubEnvironment(join(home, 'boot'), settled);
    return grubEnvironment(join(home, 'boot'), fileLock(join(home, 'grub.lock')));
  },
} as const satisfies Record<string, (home: string) => Promise<BootEnvironment>>;

const pairIn = (home: string): CopyPair => [
  { path: join(home, 'env1'), offsetBytes: 0, sizeBytes: 4096 },
  { path: join(home, 'env2'), offsetBytes: 0, sizeBytes: 4096 },
];

async function device(kind: keyof typeof kinds) {
  const home = await mkdtemp(join(directory, `${kind}-`));
  const at = (name: string) => join(home, name);
  await mkdir(at('etc'));
  await mkdir(at('data'));
  const environment = await kinds[kind](home);
  await writeFile(at('mmcblk0p2'), Buffer.alloc(200_000, 'version 1 '));
  await writeFile(at('mmcblk0p3'), Buffer.alloc(200_000));
  await writeFile(at('data/device_type'), 'device_type=virtual\n');
  await writeFile(at('fw_env.config'), `${at('env1')} 0x0 0x1000\n${at('env2')} 0x0 0x1000\n`);
  await writeFile(at('mender_grubenv.config'), `ENV_DIR=${at('boot')}\n`);
  await writeFile(
    at('etc/mender.conf'),
    JSON.stringify({
      RootfsPartA: at('mmcblk0p2'),
      RootfsPartB: at('mmcblk0p3'),
      BootEnvironment: kind,
    }),
  );
  const run = (part: 2 | 3) => writeFile(at('cmdline'), `quiet root=${at(`mmcblk0p${part}`)}\n`);
  await run(2);
  return {
    run,
    environment,
    variables: async () => Object.fromEntries(await environment.read()),
    inactive: async () => (await readFile(at('mmcblk0p3'))).subarray(0, image.length),
    mender: (...words: readonly string[]) => {
      const result = spawnSync(process.execPath, [program, ...words], {
        env: {
          PATH: process.env['PATH'] ?? '',
          MENDER_CONF_DIR: at('etc'),
          MENDER_DATA_DIR: at('share'),
          MENDER_DATASTORE_DIR: at('data'),
          TANDEM_KERNEL_COMMAND_LINE: at('cmdline'),
          TANDEM_FW_ENV_CONFIG: at('fw_env.config'),
          TANDEM_GRUB_ENV_CONFIG: at('mender_grubenv.config'),
          TANDEM_GRUB_LOCK: at('grub.lock'),
        },
        encoding: 'utf8',
        timeout: 60_000,
      });
      assert.equal(result.status, 0, result.stdout + result.stderr);
    },
  };
}

describe('an update by hand, with the boot environment', () => {
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    test(`${kind}: is tried by the next boot and committed`, async () => {
      const board = await device(kind);
      board.mender('install', artifact);
      assert.deepEqual(await board.variables(), onTrial);
      assert.deepEqual(await board.inactive(), image);
      await board.environment.write({ bootcount: '1' });
      await board.run(3);
      board.mender('commit');
      assert.deepEqual(await board.variables(), { ...onTrial, bootcount: '1', upgrade_available: '0' });
    });

    test(`${kind}: is rolled back`, async () => {
      const board = await device(kind);
      board.mender('install', artifact);
      board.mender('rollback');
      assert.deepEqual(await board.variables(), settled);
    });
  }
});
