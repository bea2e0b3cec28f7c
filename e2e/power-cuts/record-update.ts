import { readFile, rm, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { rootfsImage, writeArtifactFile } from '@tandem/artifact';
import { startArtifactServer } from '../../packages/client/src/cli/artifact-server.ts';
import type { RunBootloader } from './boot-programs.ts';
import { makeSmallDevice, type Server, type SmallDevice } from './small-device.ts';
import {
  diskBytes,
  environmentCopyBytes,
  mapParts,
  partitionNumbers,
  parts,
  type SmallDisk,
} from './small-disk.ts';
import { openVirtualDisks } from './virtual-disks.ts';
import { stateScript } from './small-system.ts';
import {
  recordingMedium,
  sectorBytes,
  witnessMedium,
  type LogEntry,
  type Range,
  type WriteLog,
} from './write-log.ts';

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
  dataMount?: string,
): Promise<RecordedUpdate> {
  await mkdir(work, { recursive: true });
  const artifact = await packArtifact(newImage, join(work, 'artifact'));
  const disk = Buffer.from(initial);
  const entries: LogEntry[] = [];
  const mark = (text: string) => {
    entries.push({ kind: 'mark', text });
  };
  const server = await startArtifactServer(artifact, mark);
  const media = mapParts((name) =>
    name === 'witness' ? witnessMedium(parts.witness, entries) : recordingMedium(disk, parts[name], entries),
  );
  const image = join(work, 'disk.img');
  let said = '';
  const bootOnce = async () => {
    await writeFile(image, disk);
    mark('the bootloader starts');
    const decided = await boot(image);
    const after = await readFile(image);
    entries.push(...(kind === 'grub' ? grubWrites(disk, after) : uBootWrites(disk, after)));
    after.copy(disk);
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
      // What the daemon of the virtual disks flushes as it ends, a reset does not.
      const noted = entries.length;
      await virtual.close();
      entries.splice(noted);
    }
  };
  try {
    const device = await makeSmallDevice({
      kind,
      program,
      home: join(work, 'device'),
      serverUrl: server.url,
      dataMount,
    });
    for (let boots = 1; boots <= mostBoots; boots += 1) {
      const { partition, trial } = await bootOnce();
      mark(`boot ${boots}: partition ${partition}, trial ${trial}`);
      if (partition === undefined) break;
      const { rebooted, log } = await bootKernel(device, partition, idleWatch(server));
      said += log;
      mark(rebooted ? 'reset' : 'idle');
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

/** GRUB's, through the firmware of a PC: the drive's cache has them. */
const grubWrites = (before: Buffer, after: Buffer): LogEntry[] =>
  changedSectors(before, after, { at: 0, sizeBytes: diskBytes });

/**
 * U-Boot's, which writes a copy of its environment as a whole, and then the other one. Its driver of memory cards never turns a card's
 * cache on, and a card that is set up anew has it off: what U-Boot has written is there.
 */
function uBootWrites(before: Buffer, after: Buffer): LogEntry[] {
  const copies = [0, 1].map((index) => ({
    at: parts.environment.at + index * environmentCopyBytes,
    sizeBytes: environmentCopyBytes,
  }));
  // The fifth byte counts writes, and is far from its end here.
  const count = ({ at }: Range) => after[at + 4] ?? 0;
  return copies
    .toSorted((a, b) => count(a) - count(b))
    .flatMap((copy): LogEntry[] => {
      const writes = changedSectors(before, after, copy);
      return writes.length === 0 ? [] : [...writes, { kind: 'flush', range: parts.environment }];
    });
}

function changedSectors(before: Buffer, after: Buffer, { at: first, sizeBytes }: Range): LogEntry[] {
  const changed: LogEntry[] = [];
  for (let at = first; at < first + sizeBytes; at += sectorBytes) {
    const bytes = after.subarray(at, at + sectorBytes);
    if (!bytes.equals(before.subarray(at, at + sectorBytes)))
      changed.push({ kind: 'write', at, bytes: Buffer.from(bytes) });
  }
  return changed;
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

/** States whose script says that they have come; `Download_Enter`, which no artifact can have, is the device's own. */
const saying = [
  'ArtifactInstall_Enter',
  'ArtifactInstall_Leave',
  'ArtifactReboot_Enter',
  'ArtifactReboot_Leave',
  'ArtifactCommit_Enter',
  'ArtifactCommit_Leave',
  'ArtifactRollback_Enter',
  'ArtifactRollbackReboot_Enter',
  'ArtifactFailure_Enter',
] as const;

export async function packArtifact(image: Buffer, path: string): Promise<Buffer> {
  const source = { name: 'rootfs.ext4', sizeBytes: image.length, open: () => once(image) };
  await writeArtifactFile(
    {
      artifactName: 'version-2',
      depends: { deviceTypes: ['virtual'] },
      payload: rootfsImage({ artifactName: 'version-2', image: source }),
      scripts: saying.map((state) => ({ name: `${state}_00`, content: Buffer.from(stateScript) })),
    },
    path,
    { compression: 'none' },
  );
  return await readFile(path);
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
