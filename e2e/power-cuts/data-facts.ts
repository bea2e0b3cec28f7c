import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { deviceStore, type DeviceRecords } from '../../packages/client/src/provides-store/device-store.ts';
import { linuxFiles } from '../../packages/client/src/system/linux-files.ts';
import { writeSparse } from './sparse-file.ts';

/** What a boot finds on a data partition. */
export interface DataFacts {
  /** What is wrong with the file system; undefined when the kernel mounts it, replaying its journal, and e2fsck then finds nothing. */
  readonly fileSystemFault: string | undefined;
  /** Read by the client's own reader; undefined when it found the store damaged, or there was none. */
  readonly records: DeviceRecords | undefined;
  /** A name of everything the client keeps, but for logs. */
  readonly tree: string;
}

/**
 * Mounts images of a data partition with the kernel, which replays the journal, reads what is there, and lets e2fsck check what the
 * kernel has left. One shell in a mount namespace of its own does it for one image after the other.
 */
export function openDataReader(work: string) {
  const image = join(work, 'data.img');
  const found = join(work, 'found');
  const shell = spawn(
    'unshare',
    ['--mount', 'sh', '-uc', readOne, 'sh', image, join(work, 'mounted'), found],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const answers = createInterface({ input: shell.stdout })[Symbol.asyncIterator]();
  return {
    read: async (content: Buffer): Promise<DataFacts> => {
      await rm(found, { recursive: true, force: true });
      await mkdir(join(work, 'mounted'), { recursive: true });
      await mkdir(found);
      await writeSparse(image, content);
      shell.stdin.write('next\n');
      const answer = await answers.next();
      if (answer.done === true) throw new Error('The shell that mounts data partitions has ended.');
      const fileSystemFault = answer.value === 'sound' ? undefined : answer.value;
      let damaged = false;
      const store = deviceStore(linuxFiles(), found, (level) => (damaged ||= level === 'error'));
      const tree = await treeName(found);
      const records = await store.read();
      return {
        fileSystemFault,
        records: damaged || records['artifact-name'] === undefined ? undefined : records,
        tree,
      };
    },
    close: () => {
      shell.stdin.end();
    },
  };
}

const readOne = `
image=$1 mounted=$2 found=$3
while read -r _; do
  if ! mount -o loop,noatime "$image" "$mounted" 2> /dev/null; then echo 'the kernel refuses to mount it'; continue; fi
  cp -a "$mounted/mender/." "$found/"
  umount "$mounted"
  if said=$(e2fsck -fn "$image" 2>&1); then echo sound; else echo e2fsck: $said; fi
done
`;

async function treeName(directory: string): Promise<string> {
  const hash = createHash('sha256');
  const names = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of names.sort((a, b) =>
    join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
  )) {
    // Logs say when; temporary files are removed before they are made again, whatever is in them.
    if (entry.name.endsWith('.log')) continue;
    hash.update(`${join(entry.parentPath, entry.name).slice(directory.length)}\n`);
    if (entry.isFile() && !/\.\d+-\d+\.tmp$/.test(entry.name))
      hash.update(await readFile(join(entry.parentPath, entry.name)));
  }
  return hash.digest('hex').slice(0, 16);
}
