import type { Board } from './board.ts';
import type { Partitions } from './partitions.ts';

/**
 * The source's fstab with the lines for root, boot and data replaced by ours; those for other places stay. Whichever root partition is active is
 * `/dev/root`: a UUID would name one of the two.
 */
export function rewriteFstab(text: string, board: Board, partitions: Partitions): string {
  const ours = [
    ['/dev/root', '/', 'ext4', 'defaults,errors=remount-ro', '0', '1'],
    ...(partitions.boot === undefined
      ? []
      : [[partitions.boot.device, board['boot.mount'], 'vfat', 'defaults,umask=0077', '0', '2']]),
    [partitions.data.device, '/data', 'ext4', 'defaults', '0', '2'],
  ];
  const places = new Set(ours.map(([, place]) => place));
  const kept = text
    .split('\n')
    .filter((line) => !places.has(mountPoint(line)) && !usualBootPlaces.includes(mountPoint(line) ?? ''));
  const table = ours.map((row) => row.join('\t')).join('\n');
  const others = kept.join('\n').trim();
  return `${others === '' ? '' : `${others}\n`}${table}\n`;
}

/** Mounts of the source that would need a partition the new storage does not have, or has by another name. */
export function foreignMounts(fstab: string): readonly string[] {
  return fstab
    .split('\n')
    .filter((line) => /^\s*(?:UUID|LABEL|PARTUUID|PARTLABEL|\/dev\/(?!root\b))/.test(line))
    .filter((line) => !['/', '/data', ...usualBootPlaces].includes(mountPoint(line) ?? ''))
    .map((line) => line.trim());
}

/** Where distributions mount what is the boot partition here. */
const usualBootPlaces: readonly string[] = ['/boot/efi', '/boot/firmware', '/uboot'];

const mountPoint = (line: string): string | undefined => /^\s*[^#\s]\S*\s+(\S+)/.exec(line)?.[1];
