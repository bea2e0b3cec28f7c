import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createUBootEnvironment, parseFwEnvConfig } from '@tandem/boot-environment';

/**
 * Standalone install of a 512 MiB root file system image against `dd` with fsync of the same image, interleaved in one run.
 * The figure is the ratio of wall time and of CPU time (user + system, children included) to dd's; medians over the rounds.
 *
 *     npm run bench -- [--rounds 3] [--write]
 *
 * `--write` puts the table with date and machine into bench/results/.
 */

const imageMiB = 512;
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, write: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds);
const project = resolve(import.meta.dirname, '..');
const program = (name: string): string => join(project, 'node_modules', '.bin', name);
const directory = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'tandem-bench-'));

interface Cost {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

/** Runs a command under bash's `time`, which counts the CPU of children too. */
function measure(command: string, environment: Readonly<Record<string, string>> = {}): Cost {
  const result = spawnSync('bash', ['-c', `TIMEFORMAT='%R %U %S'; time { ${command}; } >&3 2>&3`], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', ...environment },
    maxBuffer: 64 << 20,
  });
  const [wall, user, system] = result.stderr.trim().split(/\s+/).map(Number);
  if (result.status !== 0 || wall === undefined || user === undefined || system === undefined) {
    throw new Error(
      `${command}\nended with ${String(result.status)}: ${result.stderr}${String(result.output[3])}`,
    );
  }
  return { wallSeconds: wall, cpuSeconds: user + system };
}

/** A real file system: this machine's own programs and libraries, as many as fit. */
function makeImage(path: string, sources: readonly string[]): void {
  const tree = join(directory, 'tree');
  mkdirSync(tree);
  for (const source of sources) {
    const used = Number(execFileSync('du', ['-sm', tree], { encoding: 'utf8' }).split('\t')[0]);
    const size = Number(execFileSync('du', ['-sm', source], { cwd: '/', encoding: 'utf8' }).split('\t')[0]);
    if (used + size < imageMiB * 0.8) execFileSync('cp', ['-a', '--parents', source, tree], { cwd: '/' });
  }
  writeFileSync(path, '');
  truncateSync(path, imageMiB << 20);
  execFileSync('mkfs.ext4', ['-q', '-F', '-b', '4096', '-d', tree, path], {
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
  });
  rmSync(tree, { recursive: true });
}

/** A device's directories, with one root partition active and the other to be written. */
interface Device {
  readonly environment: Record<string, string>;
  readonly inactive: string;
  readonly reset: () => Promise<void>;
}

function makeDevice(): Device {
  const store = join(directory, 'data');
  const configuration = join(directory, 'conf');
  for (const path of [store, configuration]) mkdirSync(path);
  const [active, inactive] = [join(directory, 'mmcblk0p2'), join(directory, 'mmcblk0p3')] as const;
  writeFileSync(active, '');
  writeFileSync(join(store, 'device_type'), 'device_type=bench\n');
  writeFileSync(join(directory, 'cmdline'), `root=${active}\n`);
  writeFileSync(
    join(configuration, 'mender.conf'),
    JSON.stringify({ RootfsPartA: active, RootfsPartB: inactive, BootEnvironment: 'u-boot' }),
  );
  const fwEnvConfig = `${join(directory, 'uboot.env')} 0x0 0x4000\n${join(directory, 'uboot.env')} 0x4000 0x4000\n`;
  writeFileSync(join(directory, 'fw_env.config'), fwEnvConfig);
  const [first, second] = parseFwEnvConfig(fwEnvConfig);
  if (first === undefined || second === undefined) throw new Error('fw_env.config must name two copies');
  const reset = async (): Promise<void> => {
    rmSync(join(directory, 'uboot.env'), { force: true });
    await createUBootEnvironment([first, second], {
      mender_boot_part: '2',
      upgrade_available: '0',
      bootcount: '0',
    });
    rmSync(store, { recursive: true });
    mkdirSync(store);
    writeFileSync(join(store, 'device_type'), 'device_type=bench\n');
    writeFileSync(inactive, '');
    truncateSync(inactive, imageMiB << 20);
    execFileSync('sync');
  };
  const environment = {
    MENDER_CONF_DIR: configuration,
    MENDER_DATASTORE_DIR: store,
    TANDEM_FW_ENV_CONFIG: join(directory, 'fw_env.config'),
    TANDEM_KERNEL_COMMAND_LINE: join(directory, 'cmdline'),
  };
  return { environment, inactive, reset };
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

try {
  const image = join(directory, 'rootfs.ext4');
  makeImage(image, [
    'usr/bin',
    'usr/sbin',
    'usr/lib/git-core',
    'usr/lib/python3',
    'usr/share/perl',
    'usr/share/doc',
    'usr/lib/x86_64-linux-gnu',
    'usr/lib/gcc',
    'usr/include',
    'usr/share/locale',
  ]);
  const artifact = join(directory, 'image.mender');
  const device = makeDevice();
  const artifacts = { none: 'none', gzip: 'gzip', zstd: 'zstd_fast' } as const;
  for (const [name, compression] of Object.entries(artifacts)) {
    execFileSync(program('mender-artifact'), [
      'write',
      'rootfs-image',
      '-f',
      image,
      '-c',
      'bench',
      '-n',
      name,
      '--compression',
      compression,
      '--no-progress',
      '-o',
      `${artifact}.${name}`,
    ]);
  }
  const candidates = {
    'dd + fsync': {
      command: `dd if=${image} of=${device.inactive} bs=1M conv=fsync,notrunc status=none`,
      environment: {},
    },
    ...Object.fromEntries(
      Object.keys(artifacts).map((name) => [
        `install, ${name}`,
        {
          command: `${program('mender-update')} install ${artifact}.${name}`,
          environment: device.environment,
        },
      ]),
    ),
  };
  const costs: Record<string, Cost[]> = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, { command, environment }] of Object.entries(candidates)) {
      await device.reset();
      const cost = measure(command, environment);
      (costs[name] ??= []).push(cost);
      process.stdout.write(
        `round ${String(round + 1)}  ${name.padEnd(14)} wall ${cost.wallSeconds.toFixed(2)} s  cpu ${cost.cpuSeconds.toFixed(2)} s\n`,
      );
      execFileSync('cmp', [image, device.inactive]);
    }
  }
  const limit = costs['dd + fsync'] ?? [];
  const rows = Object.entries(costs).map(([name, each]) => {
    const wall = median(each.map((cost) => cost.wallSeconds));
    const cpu = median(each.map((cost) => cost.cpuSeconds));
    const ratio = (value: number, key: keyof Cost): string =>
      (value / median(limit.map((cost) => cost[key]))).toFixed(1);
    return `| ${name} | ${wall.toFixed(2)} | ${ratio(wall, 'wallSeconds')} | ${cpu.toFixed(2)} | ${ratio(cpu, 'cpuSeconds')} |`;
  });
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${String(cpus().length)} cores, ${String(Math.round(totalmem() / 2 ** 30))} GiB`;
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0] ?? '';
  const table = `# Install of a ${String(imageMiB)} MiB image, ${date}

${machine}; Node ${process.version}; load average at the end ${load}; ${String(rounds)} interleaved rounds, medians; every written image compared with \`cmp\`.
The install verifies checksums, writes, fsyncs and reads everything back before it sets the flag; dd only writes and fsyncs.

| | wall s | to dd | cpu s | to dd |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`;
  process.stdout.write(`\n${table}`);
  if (values.write) writeFileSync(join(project, 'bench', 'results', `${date}-install.md`), table);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
