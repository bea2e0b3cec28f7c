import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ClientError } from '../client-error.ts';
import type { Processes } from '../system/system.ts';
import { storageCallLimitMs } from '../system/within-time.ts';

/** A volume on raw flash: a character device that is written as a whole, by a program of mtd-utils. */
export interface UbiVolume {
  /** `ubi0_3` */
  readonly node: string;
  /** What it was called when it was made, `rootfsa`; the kernel mounts by it. */
  readonly name: string;
  readonly capacityBytes: number;
}

/** /sys/class/ubi, where the kernel tells of volumes. */
export const usualUbiClass = '/sys/class/ubi';

const nodePattern = /^ubi\d+_\d+$/;

/** The volume a device node is, or undefined when it is none. */
export async function ubiVolumeAt(path: string, ubiClass = usualUbiClass): Promise<UbiVolume | undefined> {
  const node = basename(path);
  return nodePattern.test(node) ? await volume(node, ubiClass) : undefined;
}

/**
 * The node, `ubi0_3`, that a word for a volume means, as it stands in a configuration, on the kernel's command line or in /proc/mounts:
 * `ubi0:rootfsa` and `ubi0!rootfsa` by its name on that flash, `ubi:rootfsa` on the first, `ubi0_3` by its number. Undefined when it
 * is none of these, or there is no such volume.
 */
export async function ubiNodeOf(word: string, ubiClass = usualUbiClass): Promise<string | undefined> {
  const [, flash = '', number, name] = /^ubi(\d*)(?:_(\d+)|[:!](.+))$/.exec(word) ?? [];
  if (number !== undefined) return flash === '' ? undefined : word;
  if (name === undefined) return undefined;
  const prefix = `ubi${flash === '' ? '0' : flash}_`;
  const nodes = await readdir(ubiClass).catch(() => []);
  for (const node of nodes.filter((one) => nodePattern.test(one) && one.startsWith(prefix))) {
    if ((await volume(node, ubiClass))?.name === name) return node;
  }
  return undefined;
}

/** Where a root file system on a volume shows: a line `ubi0:rootfsa / ubifs …`; the last counts, being mounted over the others. */
export function ubiWordOfRoot(mounts: string): string | undefined {
  const roots = mounts.split('\n').map((line) => line.split(' '));
  const [source, , type] = roots.findLast(([, at]) => at === '/') ?? [];
  return type === 'ubifs' ? source : undefined;
}

async function volume(node: string, ubiClass: string): Promise<UbiVolume | undefined> {
  const fact = async (name: string) => (await readFile(join(ubiClass, node, name), 'utf8')).trim();
  try {
    const blocks = Number(await fact('reserved_ebs'));
    const blockBytes = Number(await fact('usable_eb_size'));
    return { node, name: await fact('name'), capacityBytes: blocks * blockBytes };
  } catch {
    return undefined;
  }
}

/** Ended by what it is given, which has its own limits, and by `storageCallLimitMs` for each piece; this only bounds the timer. */
const longestUpdateMs = 2 ** 31 - 1;

/**
 * Writes a volume from its beginning to `sizeBytes`, by `ubiupdatevol` (ioctl UBI_IOCVOLUP, which Node does not have). From its start
 * until the last byte is there the kernel holds the volume for broken and does not mount it: half an image never boots.
 *
 * Throws `ClientError` `writeFailed` when the program fails, `storageHangs` when it takes no more bytes, and what the content throws.
 */
export async function writeUbiVolume(
  processes: Pick<Processes, 'start'>,
  path: string,
  content: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  signal: AbortSignal,
  limitMs = storageCallLimitMs,
): Promise<void> {
  const stalled = new AbortController();
  const either = AbortSignal.any([signal, stalled.signal]);
  const updating = processes.start('ubiupdatevol', [path, `--size=${sizeBytes}`, '-'], {
    input: inTime(content, limitMs, () => {
      stalled.abort(
        new ClientError(
          'storageHangs',
          `ubiupdatevol has taken no byte for ${path} for ${limitMs / 1000} s: the flash hangs.`,
        ),
      );
    }),
    timeoutMs: longestUpdateMs,
    signal: either,
  });
  const { exitCode, signal: endedBy, stderr } = await updating.exited;
  if (exitCode === 0) return;
  throw new ClientError(
    'writeFailed',
    `ubiupdatevol ${path} ended with ${endedBy ?? `exit code ${exitCode}`}: ${stderr.trim().slice(0, 500)}. ` +
      'The volume counts as broken until it is written anew; the running system is untouched.',
  );
}

/** Says so when a piece is not asked for again in time; how long the content itself takes is not its matter. */
async function* inTime(
  content: AsyncIterable<Uint8Array>,
  limitMs: number,
  onStall: () => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    const timer = setTimeout(onStall, limitMs);
    try {
      yield piece;
    } finally {
      clearTimeout(timer);
    }
  }
}
