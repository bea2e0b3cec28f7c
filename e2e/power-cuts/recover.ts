import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startArtifactServer } from '../../packages/client/src/cli/artifact-server.ts';
import type { RunBootloader } from './boot-programs.ts';
import { openDataReader } from './data-facts.ts';
import { idleWatch } from './record-update.ts';
import { makeSmallDevice } from './small-device.ts';
import { mapParts, parts, partitionNumbers, type BoardKind, type PartName } from './small-disk.ts';

export interface RecoverOptions {
  readonly kind: BoardKind;
  readonly work: string;
  readonly program: string;
  readonly boot: RunBootloader;
  readonly artifact: Buffer;
  readonly newImage: Buffer;
  /** What the server had been told of how the deployment ended, when the power went. */
  readonly told: string | undefined;
}

const mostBoots = 8;
const partNames = Object.keys(parts) as PartName[];

export interface Recovery {
  /** What is wrong in the end: whatever is not a device that runs one whole version, out of trial, and says which. */
  readonly fault: string | undefined;
  /** How often the kernel was booted. */
  readonly boots: number;
}

/**
 * Switches a device on again whose disk a power cut has left so, and lets bootloader, kernel and client go on until nothing more is to
 * be done.
 */
export async function recover(disk: Buffer, options: RecoverOptions): Promise<Recovery> {
  const { kind, work, program, boot, artifact, newImage, told } = options;
  await mkdir(work, { recursive: true });
  const at = (name: string) => join(work, name);
  const files = mapParts((name) => at(`${name}.img`));
  const part = (content: Buffer, name: PartName) =>
    content.subarray(parts[name].at, parts[name].at + parts[name].sizeBytes);
  for (const name of partNames) await writeFile(files[name], part(disk, name));
  /** The bootloader knows the disk as a whole; to the kernel each part is a disk. */
  const bootOnce = async () => {
    const whole = Buffer.from(disk);
    for (const name of partNames) (await readFile(files[name])).copy(whole, parts[name].at);
    await writeFile(at('disk.img'), whole);
    const decided = await boot(at('disk.img'));
    const after = await readFile(at('disk.img'));
    for (const name of ['boot', 'environment'] as const) await writeFile(files[name], part(after, name));
    return decided;
  };
  const server = await startArtifactServer(artifact);
  if (told !== undefined) server.seen.statuses.push(told);
  let boots = 0;
  const end = async (): Promise<string | undefined> => {
    const device = await makeSmallDevice({
      kind,
      program,
      home: at('device'),
      serverUrl: server.url,
    });
    let said = '';
    for (;;) {
      const { partition } = await bootOnce();
      if (partition === undefined) return `the bootloader starts nothing after ${boots} boots`;
      if (boots === mostBoots) return `it still reboots after ${mostBoots} boots: ${lastWords(said)}`;
      boots += 1;
      const { rebooted, log } = await device.run(
        partition,
        mapParts((name) => ({ file: files[name] })),
        idleWatch(server),
      );
      said += log;
      if (rebooted) continue;
      const { partition: then, trial } = await bootOnce();
      await mkdir(at('reader'));
      const reader = openDataReader(at('reader'));
      const facts = await reader.read(await readFile(files.data));
      reader.close();
      const runs = partition === partitionNumbers.rootB ? 'version-2' : 'version-1';
      const name = facts.records?.['artifact-name'];
      if (then !== partition || trial)
        return `it runs partition ${partition} and boots ${then} next (trial: ${trial}): ${lastWords(said)}`;
      if (name !== runs) return `it runs ${runs} and says that it runs ${name}: ${lastWords(said)}`;
      if (facts.records?.state !== undefined)
        return `the record of the update stays: ${facts.records.state.Name}`;
      if (facts.fileSystemFault !== undefined) return `data: ${facts.fileSystemFault}`;
      if (partition === partitionNumbers.rootB && !(await readFile(files.rootB)).equals(newImage))
        return 'it runs an incomplete root file system';
      return undefined;
    }
  };
  try {
    return { fault: await end(), boots };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error), boots };
  } finally {
    server.close();
    await rm(work, { recursive: true, force: true });
  }
}

const lastWords = (said: string): string => said.slice(-600);
