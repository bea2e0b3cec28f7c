import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createUBootEnvironment, parseFwEnvConfig } from '@tandem/boot-environment';
import {
  benchOptions,
  costCells,
  measure,
  medianCost,
  ours as menderArtifact,
  runBench,
  type Cost,
} from './artifact-measure.ts';
import { project } from './write-result.ts';

/**
 * Standalone install of a root file system image into a block device (a loop device), ours beside Debian's mender-client,
 * interleaved in one run; and the cost of reading the image back once and hashing it, which only ours does. As root:
 *
 *     node bench/client-peers.ts [--rounds 3] [--write]
 *
 * Skipping what is there already is on in ours and in mender; the partition is empty before each.
 */

const { values } = parseArgs({ options: benchOptions });
const rounds = Number(values.rounds);

const note =
  `${rounds} interleaved rounds, medians (peak memory: largest), each written image compared with \`cmp\`. ` +
  'Ours reads everything back past the cache and hashes it before the flag turns, which costs at most the row "read and hash"; ' +
  'the peer does not: like for like is "ours, not read back" (VerifyWrites false). "Small": TANDEM_SMALL_MEMORY.';

await runBench({ name: 'client-peers', note, values }, async (image, directory) => {
  const device = makeDevice(directory, statSync(image).size);
  try {
    const candidates = {
      'mender 3.4, gzip': device.mender(writeArtifact(directory, image, 'gzip')),
      'ours, gzip': device.ours(writeArtifact(directory, image, 'gzip')),
      'ours, not read back': device.ours(join(directory, 'gzip.mender'), device.withoutReadBack),
      'ours, small, gzip': device.ours(join(directory, 'gzip.mender'), device.small),
      'read and hash': () =>
        measure('sh', [
          '-c',
          `dd if=${device.inactive} iflag=direct bs=1M status=none | openssl dgst -sha256`,
        ]),
    };
    const costs = new Map<string, Cost[]>();
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, run] of Object.entries(candidates)) {
        if (name !== 'read and hash') await device.reset();
        const cost = run();
        execFileSync('cmp', [image, device.inactive]);
        costs.set(name, [...(costs.get(name) ?? []), cost]);
        process.stdout.write(
          `round ${round + 1}  ${name.padEnd(18)} ${costCells(cost, undefined).join('  ')}\n`,
        );
      }
    }
    const medianOf = (name: keyof typeof candidates): Cost => medianCost(costs.get(name) ?? []);
    const row = (name: string, cost: Cost, peer?: Cost) => [name, ...costCells(cost, peer)];
    const peer = medianOf('mender 3.4, gzip');
    const mine = ['ours, gzip', 'ours, not read back', 'ours, small, gzip'] as const;
    return [
      ['', 'wall s', 'CPU s', 'peak MiB', 'wall to peer', 'CPU to peer'],
      row('mender 3.4, gzip', peer),
      ...mine.map((name) => row(name, medianOf(name), peer)),
      row('read and hash', medianOf('read and hash')),
    ];
  } finally {
    device.close();
  }
});

function writeArtifact(directory: string, image: string, compression: 'gzip'): string {
  const path = join(directory, `${compression}.mender`);
  const what = ['-f', image, '-c', 'bench', '-n', compression, '--compression', compression];
  execFileSync(menderArtifact, ['write', 'rootfs-image', ...what, '--no-progress', '-o', path]);
  return path;
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

/** Two partitions, the bootloader's variables, and what each client wants to find. */
function makeDevice(directory: string, sizeBytes: number) {
  const at = (name: string) => join(directory, name);
  const [active, inactive] = [at('mmcblk0p2'), at('mmcblk0p3')];
  const loops = [active, inactive].map((path) => {
    execFileSync('truncate', ['--size', String(sizeBytes), `${path}.image`]);
    const loop = execFileSync('losetup', ['--find', '--show', `${path}.image`], { encoding: 'utf8' }).trim();
    execFileSync('cp', ['--archive', loop, path]);
    return loop;
  });
  const [store, configuration, programs] = [at('store'), at('conf'), at('programs')];
  for (const path of [configuration, programs]) mkdirSync(path);
  writeFileSync(at('cmdline'), `root=${active}\n`);
  writeFileSync(join(configuration, 'artifact_info'), 'artifact_name=factory\n');
  const keys = { RootfsPartA: active, RootfsPartB: inactive, BootEnvironment: 'u-boot' };
  writeFileSync(join(configuration, 'mender.conf'), JSON.stringify(keys));
  const trusting = at('conf-without-read-back');
  mkdirSync(trusting);
  writeFileSync(join(trusting, 'mender.conf'), JSON.stringify({ ...keys, VerifyWrites: false }));
  const fwEnvConfig = `${at('uboot.env')} 0x0 0x4000\n${at('uboot.env')} 0x4000 0x4000\n`;
  writeFileSync(at('fw_env.config'), fwEnvConfig);
  const [first, second] = parseFwEnvConfig(fwEnvConfig);
  if (first === undefined || second === undefined) throw new Error('fw_env.config must name two copies');
  // What mender looks for outside of the directories it can be told of.
  const program = (name: string, text: string) => {
    writeFileSync(join(programs, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(programs, name), 0o755);
  };
  for (const tool of ['fw_printenv', 'fw_setenv'])
    program(tool, `exec /usr/bin/${tool} -c ${at('fw_env.config')} "$@"`);
  program('mount', `[ $# -gt 0 ] && exec /usr/bin/mount "$@"\necho "${active} on / type ext4 (rw,relatime)"`);
  const client = installClient(at('client'));
  const environment = [
    `MENDER_CONF_DIR=${configuration}`,
    `MENDER_DATASTORE_DIR=${store}`,
    `TANDEM_FW_ENV_CONFIG=${at('fw_env.config')}`,
    `TANDEM_KERNEL_COMMAND_LINE=${at('cmdline')}`,
  ];
  const withPrograms = `PATH=${programs}:/usr/sbin:/usr/bin:/sbin:/bin`;
  return {
    inactive,
    reset: async () => {
      rmSync(at('uboot.env'), { force: true });
      const variables = { mender_boot_part: '2', upgrade_available: '0', bootcount: '0' };
      await createUBootEnvironment([first, second], variables);
      rmSync(store, { recursive: true, force: true });
      mkdirSync(store);
      writeFileSync(join(store, 'device_type'), 'device_type=bench\n');
      execFileSync('blkdiscard', ['--force', '--zeroout', inactive]);
      execFileSync('sync');
    },
    withoutReadBack: [`MENDER_CONF_DIR=${trusting}`],
    small: ['TANDEM_SMALL_MEMORY=1'],
    ours:
      (artifact: string, more: readonly string[] = []) =>
      () =>
        measure('env', [...environment, ...more, client, 'install', artifact]),
    mender: (artifact: string) => () =>
      measure('unshare', [
        '--mount',
        'sh',
        '-c',
        'mount --bind "$1" /etc/mender && shift && exec "$@"',
        'sh',
        configuration,
        'env',
        withPrograms,
        '/usr/bin/mender',
        '--data',
        store,
        '--no-syslog',
        'install',
        artifact,
      ]),
    close: () => {
      for (const loop of loops) execFileSync('losetup', ['--detach', loop]);
    },
  };
}
