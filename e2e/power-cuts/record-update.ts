import { readFile, rm, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { rootfsImage, writeArtifactFile } from '@tandem/artifact';
import { startArtifactServer } from '../../packages/client/src/cli/artifact-server.ts';
import type { RunBootloader } from './boot-programs.ts';
import { makeSmallDevice, type Server, type SmallDevice } from './small-device.ts';
import { diskBytes, mapParts, partitionNumbers, parts, type SmallDisk } from './small-disk.ts';
import { openVirtualDisks } from './virtual-disks.ts';
import { recordingMedium, sectorBytes, type LogEntry, type WriteLog } from './write-log.ts';

export interface RecordedUpdate extends WriteLog {
  /** How the device ended: which partition it boots, and what the server was told. */
  readonly end: {
    readonly partition: number | undefined;
    readonly trial: boolean;
    readonly statuses: readonly string[];
  };
  /** What the client said, over all boots. */
  readonly said: string;
  readonly artifact: Buffer;
}

const mostBoots = 6;

/**
 * A whole managed update of the small device by a bundled client, with every request to its disk noted: boot, download, write, flag,
 * reset, trial boot, commit or return, cleanup. Each part of the disk is a disk of its own to the kernel, with a cache of its own, which
 * is the harder case: a flush of the data partition says nothing of the image. The bootloader's writes are noted too; it cannot flush.
 */
export async function recordUpdate(
  { kind, disk: initial, newImage }: SmallDisk,
  program: string,
  boot: RunBootloader,
  work: string,
): Promise<RecordedUpdate> {
  await mkdir(work, { recursive: true });
  const artifact = await packArtifact(newImage, join(work, 'artifact'));
  const server = await startArtifactServer(artifact);
  const disk = Buffer.from(initial);
  const entries: LogEntry[] = [];
  const media = mapParts((name) => recordingMedium(disk, parts[name], entries));
  const image = join(work, 'disk.img');
  let said = '';
  let statuses = 0;
  const noteStatuses = () => {
    for (const status of server.seen.statuses.slice(statuses))
      entries.push({ kind: 'mark', text: `status ${status}` });
    statuses = server.seen.statuses.length;
  };
  const bootOnce = async () => {
    await writeFile(image, disk);
    const decided = await boot(image);
    const after = await readFile(image);
    for (let at = 0; at < diskBytes; at += sectorBytes) {
      const bytes = after.subarray(at, at + sectorBytes);
      if (bytes.equals(disk.subarray(at, at + sectorBytes))) continue;
      entries.push({ kind: 'write', at, bytes: Buffer.from(bytes) });
      bytes.copy(disk, at);
    }
    return decided;
  };
  /** The root file system of this boot is a copy, which the kernel reads before it knows the disks whose requests are noted. */
  const bootKernel = async (device: SmallDevice, partition: number, enough: () => boolean) => {
    const root = partition === partitionNumbers.rootA ? 'rootA' : 'rootB';
    const copy = join(work, 'root.img');
    await writeFile(copy, disk.subarray(parts[root].at, parts[root].at + parts[root].sizeBytes));
    const virtual = await openVirtualDisks(join(work, 'disks'), media);
    const disks = mapParts((name) => (name === root ? { file: copy } : { socket: virtual.sockets[name] }));
    try {
      return await device.run(partition, disks, enough);
    } finally {
      await virtual.close();
    }
  };
  try {
    const device = await makeSmallDevice({
      kind,
      program,
      home: join(work, 'device'),
      serverUrl: server.url,
    });
    for (let boots = 1; boots <= mostBoots; boots += 1) {
      const { partition, trial } = await bootOnce();
      entries.push({ kind: 'mark', text: `boot ${boots}: partition ${partition}, trial ${trial}` });
      if (partition === undefined) break;
      const isIdle = idleWatch(server);
      const { rebooted, log } = await bootKernel(device, partition, () => {
        noteStatuses();
        return isIdle();
      });
      said += log;
      entries.push({ kind: 'mark', text: rebooted ? 'reset' : 'idle' });
      if (!rebooted) break;
    }
    const { partition, trial } = await bootOnce();
    return {
      initial,
      entries,
      said,
      artifact,
      end: { partition, trial, statuses: [...server.seen.statuses] },
    };
  } finally {
    server.close();
    await rm(work, { recursive: true, force: true });
  }
}

/** Asks whether the deployment has ended and the client has asked for another since. */
export function idleWatch({ seen }: Server): () => boolean {
  let pollsWhenOver: number | undefined;
  return () => {
    if (!seen.statuses.some((status) => status === 'success' || status === 'failure')) return false;
    pollsWhenOver ??= seen.polls;
    return seen.polls > pollsWhenOver;
  };
}

export async function packArtifact(image: Buffer, path: string): Promise<Buffer> {
  const source = { name: 'rootfs.ext4', sizeBytes: image.length, open: () => once(image) };
  await writeArtifactFile(
    {
      artifactName: 'version-2',
      depends: { deviceTypes: ['virtual'] },
      payload: rootfsImage({ artifactName: 'version-2', image: source }),
    },
    path,
    { compression: 'none' },
  );
  return await readFile(path);
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
