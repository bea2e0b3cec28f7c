import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startArtifactServer } from '../../packages/client/src/cli/artifact-server.ts';
import type { RunBootloader } from './boot-programs.ts';
import { openDataReader } from './data-facts.ts';
import { idleWatch, strictDataMount } from './record-update.ts';
import { makeSmallDevice } from './small-device.ts';
import { parts, partitionNumbers, type BoardKind } from './small-disk.ts';

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

/**
 * Switches a device on again whose disk a power cut has left so, and lets bootloader and client go on until nothing more is to be
 * done. Returns what is wrong then: whatever is not a device that runs one whole version, out of trial, and says which.
 */
export async function recover(disk: Buffer, options: RecoverOptions): Promise<string | undefined> {
  const { kind, work, program, boot, artifact, newImage, told } = options;
  await mkdir(work, { recursive: true });
  const at = (name: string) => join(work, name);
  const part = (name: keyof typeof parts) =>
    disk.subarray(parts[name].at, parts[name].at + parts[name].sizeBytes);
  await writeFile(at('disk.img'), disk);
  for (const [file, name] of [
    ['mmcblk0p2', 'rootA'],
    ['mmcblk0p3', 'rootB'],
    ['data.ext4', 'data'],
  ] as const)
    await writeFile(at(file), part(name));
  const server = await startArtifactServer(artifact);
  if (told !== undefined) server.seen.statuses.push(told);
  try {
    const { at: bootAt, sizeBytes: bootBytes } = parts.boot;
    const device = await makeSmallDevice({
      kind,
      home: at('device'),
      program,
      serverUrl: server.url,
      paths: {
        rootA: at('mmcblk0p2'),
        rootB: at('mmcblk0p3'),
        data: { source: at('data.ext4'), options: `loop,${strictDataMount}` },
        boot: { source: at('disk.img'), options: `loop,sync,offset=${bootAt},sizelimit=${bootBytes}` },
        environment: { path: at('disk.img'), at: parts.environment.at },
      },
    });
    let said = '';
    for (let boots = 1; ; boots += 1) {
      const { partition } = await boot(at('disk.img'));
      if (partition === undefined) return `the bootloader starts nothing at boot ${boots}`;
      if (boots > mostBoots) return `it still reboots after ${mostBoots} boots: ${lastWords(said)}`;
      const { rebooted, log } = await device.run(partition, idleWatch(server));
      said += log;
      if (rebooted) continue;
      const { partition: then, trial } = await boot(at('disk.img'));
      await mkdir(at('reader'));
      const reader = openDataReader(at('reader'));
      const facts = await reader.read(await readFile(at('data.ext4')));
      reader.close();
      const runs = partition === partitionNumbers.rootB ? 'version-2' : 'version-1';
      const name = facts.records?.['artifact-name'];
      if (then !== partition || trial)
        return `it runs partition ${partition} and boots ${then} next (trial: ${trial}): ${lastWords(said)}`;
      if (name !== runs) return `it runs ${runs} and says that it runs ${name}: ${lastWords(said)}`;
      if (facts.records?.state !== undefined)
        return `the record of the update stays: ${facts.records.state.Name}`;
      if (facts.fileSystemFault !== undefined) return `data: ${facts.fileSystemFault}`;
      const content = await readFile(at(partition === partitionNumbers.rootB ? 'mmcblk0p3' : 'mmcblk0p2'));
      if (partition === partitionNumbers.rootB && !content.equals(newImage))
        return 'it runs an incomplete root file system';
      return undefined;
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    server.close();
    await rm(work, { recursive: true, force: true });
  }
}

const lastWords = (said: string): string => said.slice(-600);
