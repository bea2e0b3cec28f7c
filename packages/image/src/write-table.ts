import type { Board } from './board.ts';
import type { Layout, PlacedPartition } from './layout.ts';
import type { PartitionRole } from './partitions.ts';
import type { RunProgram } from './run-program.ts';

const sectorBytes = 512;

/** Types of partitions: GPT's UUIDs (UEFI specification; Linux filesystem data), and MBR's numbers. */
const types: Readonly<Record<Board['partitionTable'], Readonly<Record<'boot' | 'linux', string>>>> = {
  gpt: { boot: 'C12A7328-F81F-11D2-BA4B-00C93EC93B58', linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' },
  mbr: { boot: 'c', linux: '83' },
};

/** Writes the partition table into a file as large as the storage. */
export async function writePartitionTable(
  path: string,
  board: Board,
  layout: Layout,
  run: RunProgram,
): Promise<void> {
  await run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', path], {
    input: sfdiskScript(board, layout),
  });
}

/** The table in sfdisk's own language (sfdisk(8), "named fields"). */
export function sfdiskScript(board: Board, layout: Layout): string {
  const isGpt = board.partitionTable === 'gpt';
  const line = ({ role, number, offsetBytes, sizeBytes, partUuid, label }: PlacedPartition): string => {
    const fields = [
      `start=${offsetBytes / sectorBytes}`,
      `size=${sizeBytes / sectorBytes}`,
      `type=${types[board.partitionTable][kindOf(role)]}`,
      ...(isGpt ? [`uuid=${partUuid}`, `name="${label}"`] : role === 'boot' ? ['bootable'] : []),
    ];
    return `${number}: ${fields.join(', ')}`;
  };
  return [
    `label: ${isGpt ? 'gpt' : 'dos'}`,
    `label-id: ${isGpt ? '' : '0x'}${layout.diskId}`,
    'unit: sectors',
    `sector-size: ${sectorBytes}`,
    '',
    ...layout.partitions.map(line),
    '',
  ].join('\n');
}

const kindOf = (role: PartitionRole): 'boot' | 'linux' => (role === 'boot' ? 'boot' : 'linux');
