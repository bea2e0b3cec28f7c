import type { Board } from './board.ts';
import type { RawWrite } from './image-file.ts';
import { inMiB, type Layout } from './layout.ts';
import type { Source } from './source.ts';

/** The plan as a person reads it: every size with where it comes from. */
export function showPlan(
  board: Board,
  layout: Layout,
  rawWrites: readonly RawWrite[],
  source: Source,
): string {
  const rows = layout.partitions.map(({ number, role, label, offsetBytes, sizeBytes, partUuid, why }) => [
    String(number),
    role,
    label,
    inMiB(offsetBytes),
    inMiB(sizeBytes),
    partUuid,
    why,
  ]);
  return [
    `${board.name} (${board.architecture}, ${board.bootloader}), from the ${source.kind} ${source.path}`,
    `${board.partitionTable.toUpperCase()} of ${inMiB(layout.totalBytes)} (${layout.totalWhy}), disk ${layout.diskId}, aligned to ${board.alignmentMiB} MiB`,
    ...columns([['', 'partition', 'label', 'at', 'size', 'PARTUUID', 'why'], ...rows]),
    ...rawWrites.map(({ name, offsetBytes }) => `  at ${inMiB(offsetBytes)}: ${name}`),
    '',
  ].join('\n');
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const width = (index: number) => Math.max(...rows.map((row) => row[index]?.length ?? 0));
  return rows.map((row) => `  ${row.map((cell, index) => cell.padEnd(width(index))).join('  ')}`.trimEnd());
}
