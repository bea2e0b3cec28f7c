import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createUBootEnvironment, parseFwEnvConfig } from '@tandem/boot-environment';
import { ours as menderArtifact } from './artifact-measure.ts';
import { project } from './write-result.ts';

/** How our client is run besides as it comes. */
export const settings = {
  usual: [],
  /** Not read back, as the peers do it. */
  trusting: ['MENDER_CONF_DIR=conf-trusting'],
  limited: ['MENDER_CONF_DIR=conf-limited'],
  small: ['TANDEM_SMALL_MEMORY=1'],
} as const;

/** Program and arguments. */
export type Command = readonly [string, ...string[]];

/** The device of the client benches, on loop devices, so for root alone. */
export interface ClientDevice {
  readonly directory: string;
  /** Block devices of the two root file systems. */
  readonly active: string;
  readonly inactive: string;
  /** Makes it as it comes from the factory: zeros in the inactive partition, an empty store. */
  readonly reset: () => Promise<void>;
  /** Writes an artifact of the image; gives its path. */
  readonly artifactOf: (image: string, compression: 'gzip' | 'zstd') => string;
  readonly ours: (setting: keyof typeof settings, words: readonly string[]) => Command;
  readonly mender: (words: readonly string[]) => Command;
  readonly close: () => void;
}

/** Two partitions, the bootloader's variables, and what our client and Debian's mender want to find; `configuration` is added to mender.conf. */
export function makeClientDevice(
  directory: string,
  sizeBytes: number,
  configuration: Readonly<Record<string, unknown>> = {},
): ClientDevice {
  const at = (name: string) => join(directory, name);
  const [active, inactive] = [at('mmcblk0p2'), at('mmcblk0p3')];
  const loops = [active, inactive].map((path) => {
    execFileSync('truncate', ['--size', String(sizeBytes), `${path}.image`]);
    const loop = execFileSync('losetup', ['--find', '--show', `${path}.image`], { encoding: 'utf8' }).trim();
    execFileSync('cp', ['--archive', loop, path]);
    return loop;
  });
  const keys = { RootfsPartA: active, RootfsPartB: inactive, BootEnvironment: 'u-boot', ...configuration };
  for (const [name, more] of [
    ['conf', {}],
    ['conf-trusting', { VerifyWrites: false }],
    ['conf-limited', { PayloadKiBPerSecond: 20_480 }],
  ] as const) {
    mkdirSync(at(name));
    writeFileSync(join(at(name), 'artifact_info'), 'artifact_name=factory\n');
    writeFileSync(join(at(name), 'mender.conf'), JSON.stringify({ ...keys, ...more }));
  }
  writeFileSync(at('cmdline'), `root=${active}\n`);
  const fwEnvConfig = `${at('uboot.env')} 0x0 0x4000\n${at('uboot.env')} 0x4000 0x4000\n`;
  writeFileSync(at('fw_env.config'), fwEnvConfig);
  const [first, second] = parseFwEnvConfig(fwEnvConfig);
  if (first === undefined || second === undefined) throw new Error('fw_env.config must name two copies');
  makePrograms(at('programs'), {
    // What mender looks for outside of the directories it can be told of.
    fw_printenv: `exec /usr/bin/fw_printenv -c ${at('fw_env.config')} "$@"`,
    fw_setenv: `exec /usr/bin/fw_setenv -c ${at('fw_env.config')} "$@"`,
    mount: `[ $# -gt 0 ] && exec /usr/bin/mount "$@"\necho "${active} on / type ext4 (rw,relatime)"`,
  });
  makePrograms(at('share/identity'), { 'mender-device-identity': 'echo mac=1' });
  const client = installClient(at('client'));
  return {
    directory,
    active,
    inactive,
    reset: async () => {
      rmSync(at('uboot.env'), { force: true });
      const variables = { mender_boot_part: '2', upgrade_available: '0', bootcount: '0' };
      await createUBootEnvironment([first, second], variables);
      rmSync(at('store'), { recursive: true, force: true });
      mkdirSync(at('store'));
      writeFileSync(at('store/device_type'), 'device_type=bench\n');
      execFileSync('blkdiscard', ['--force', '--zeroout', inactive], { stdio: 'ignore' });
      execFileSync('sync');
    },
    artifactOf: (image, compression) => {
      const path = at(`${compression}.mender`);
      const what = ['-f', image, '-c', 'bench', '-n', compression, '--compression', compression];
      execFileSync(menderArtifact, ['write', 'rootfs-image', ...what, '--no-progress', '-o', path]);
      return path;
    },
    ours: (setting, words) => [
      'env',
      `--chdir=${directory}`,
      'MENDER_CONF_DIR=conf',
      'MENDER_DATA_DIR=share',
      'MENDER_DATASTORE_DIR=store',
      'TANDEM_FW_ENV_CONFIG=fw_env.config',
      'TANDEM_KERNEL_COMMAND_LINE=cmdline',
      ...settings[setting],
      client,
      ...words,
    ],
    mender: (words) => [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount --bind "$1" /etc/mender && mount --bind "$2" /usr/share/mender && shift 2 && exec "$@"',
      'sh',
      at('conf'),
      at('share'),
      'env',
      `PATH=${at('programs')}:/usr/sbin:/usr/bin:/sbin:/bin`,
      '/usr/bin/mender',
      '--data',
      at('store'),
      '--no-syslog',
      ...words,
    ],
    close: () => {
      for (const loop of loops) execFileSync('losetup', ['--detach', loop]);
    },
  };
}

function makePrograms(directory: string, texts: Readonly<Record<string, string>>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(texts))
    writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

/** As the package does it: the bundle, its launcher, and the name it is called by. */
function installClient(directory: string): string {
  mkdirSync(directory);
  const place = (from: string, name: string) => {
    copyFileSync(join(project, from), join(directory, name));
    chmodSync(join(directory, name), 0o755);
  };
  execFileSync(process.execPath, [join(project, 'packages/client/build-bundle.ts')]);
  place('packages/client/dist/tandem-update.mjs', 'tandem-update.mjs');
  place('packaging/client/launch', 'launch');
  symlinkSync('tandem-update.mjs', join(directory, 'mender-update'));
  const names = join(directory, 'bin');
  mkdirSync(names);
  symlinkSync('../launch', join(names, 'mender-update'));
  return join(names, 'mender-update');
}
