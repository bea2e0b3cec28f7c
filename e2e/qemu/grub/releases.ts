import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownProgram, runProgram } from '@tandem/demo';

/** What each release changes in the root file system that the image was made with, as commands of debugfs. */
export const releases = {
  'guest-1': [],
  'guest-2': ['write RELEASE /etc/guest-release'],
  // Its health check will say so.
  'guest-unwell': ['write RELEASE /etc/guest-release', 'write RELEASE /etc/unwell'],
  // The first process ends at once: the kernel panics.
  'guest-panics': ['rm /usr/sbin/init', 'symlink /usr/sbin/init /bin/false'],
  // Once it runs, a task of the highest real-time priority leaves nothing of the processor to others, systemd included.
  'guest-hangs': [
    'write HANG /etc/systemd/system/hang.service',
    'symlink /etc/systemd/system/sysinit.target.wants/hang.service /etc/systemd/system/hang.service',
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type ReleaseName = keyof typeof releases;

const hangService = `[Unit]
DefaultDependencies=no
After=local-fs.target
[Service]
ExecStart=/bin/sh -c 'echo "<1>hang: now" > /dev/kmsg; echo -1 > /proc/sys/kernel/sched_rt_runtime_us; exec chrt -f 99 sh -c "while :; do :; done"'
`;

/** State scripts of every release: what was run is told on the data partition, and the commit needs a root file system that is well. */
const stateScripts = {
  ...Object.fromEntries(
    ['ArtifactInstall_Enter', 'ArtifactReboot_Leave', 'ArtifactCommit_Leave', 'ArtifactRollback_Enter'].map(
      (state) => [`${state}_20_tell`, `#!/bin/sh\necho ${state} >> /data/state-scripts\n`],
    ),
  ),
  ArtifactCommit_Enter_10_health: '#!/bin/sh\n[ ! -e /etc/unwell ] || { echo "not well" >&2; exit 1; }\n',
};

export interface ReleaseMaker {
  readonly deviceType: string;
  readonly directory: string;
  /** The root file system the image was made with. */
  readonly rootImage: string;
  readonly signingKey: string;
}

/** Makes the artifact of a release and returns its path. */
export async function makeRelease(maker: ReleaseMaker, name: ReleaseName): Promise<string> {
  const image = join(maker.directory, `${name}.ext4`);
  await runProgram('cp', ['--reflink=auto', '--sparse=always', maker.rootImage, image]);
  const release = join(maker.directory, `${name}.release`);
  const hang = join(maker.directory, 'hang.service');
  await writeFile(release, `${name}\n`);
  await writeFile(hang, hangService);
  const commands = releases[name].map((line) => line.replace('RELEASE', release).replace('HANG', hang));
  if (commands.length > 0) await edit(image, commands);
  const artifact = join(maker.directory, `${name}.mender`);
  await writeArtifact(maker, 'rootfs-image', name, artifact, [
    '--file',
    image,
    '--compression',
    'zstd_fastest',
  ]);
  return artifact;
}

const writeTimeoutMs = 600_000;

/** An artifact of the update module single-file: one file into /data. */
export async function makeFileRelease(maker: ReleaseMaker, name: string, text: string): Promise<string> {
  const path = (file: string) => join(maker.directory, `${name}.${file}`);
  const parts = { told: text, filename: 'told', dest_dir: '/data', permissions: '644' };
  await runProgram('mkdir', ['-p', path('d')]);
  for (const [file, content] of Object.entries(parts)) await writeFile(join(path('d'), file), `${content}\n`);
  const files = Object.keys(parts).flatMap((file) => ['--file', join(path('d'), file)]);
  await writeArtifact(maker, 'module-image', name, path('mender'), ['--type', 'single-file', ...files]);
  return path('mender');
}

async function writeArtifact(
  { directory, deviceType, signingKey }: ReleaseMaker,
  kind: 'rootfs-image' | 'module-image',
  name: string,
  output: string,
  payload: readonly string[],
): Promise<void> {
  const scripts: string[] = [];
  for (const [script, text] of Object.entries(stateScripts)) {
    scripts.push(join(directory, script));
    await writeFile(join(directory, script), text);
    await chmod(join(directory, script), 0o755);
  }
  const command = [
    ['write', kind, '--artifact-name', name, '--device-type', deviceType],
    ['--key', signingKey, '--output-path', output, ...payload],
    ...scripts.map((script) => ['--script', script]),
  ];
  await runProgram(ownProgram('mender-artifact'), command.flat(), { timeoutMs: writeTimeoutMs });
}

/** debugfs tells of faults on its standard error and ends well all the same. */
async function edit(image: string, commands: readonly string[]): Promise<void> {
  const script = `${image}.commands`;
  await writeFile(script, `${commands.join('\n')}\n`);
  const said = await runProgram('bash', ['-c', '/sbin/debugfs -w -f "$1" "$2" 2>&1', 'edit', script, image]);
  const faults = said
    .split('\n')
    .filter((line) => /not found|error|exists|usage|invalid|no such/i.test(line));
  if (faults.length > 0) throw new Error(`debugfs could not make ${image}: ${faults.join('; ')}`);
}
