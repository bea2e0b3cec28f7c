import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Partitions } from '../partitions.ts';

/** Files that are put on devices as they are. */
export const supportFile = (name: 'choose.cfg' | 'start.cfg' | 'select-kernel'): string =>
  join(import.meta.dirname, '..', '..', 'support', 'grub-efi', name);

/** GRUB's names of partition tables. */
const schemes = { gpt: 'gpt', mbr: 'msdos' } as const;

/** The whole grub.cfg of a device: what the image knows of its partitions, then the script that chooses between them. */
export async function grubConfiguration(
  partitionTable: keyof typeof schemes,
  { rootA, rootB }: Pick<Partitions, 'rootA' | 'rootB'>,
): Promise<string> {
  const facts = {
    environment: '($root)/grub-mender-grubenv',
    scheme: schemes[partitionTable],
    part_a: String(rootA.number),
    root_a: rootA.kernelDevice,
    part_b: String(rootB.number),
    root_b: rootB.kernelDevice,
  };
  const head = Object.entries(facts).map(([name, value]) => `set ${name}="${value}"\n`);
  const parts = ['choose.cfg', 'start.cfg'] as const;
  const texts = await Promise.all(parts.map((part) => readFile(supportFile(part), 'utf8')));
  return [head.join(''), ...texts].join('\n');
}
