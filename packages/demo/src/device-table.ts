import type { Ending } from './expectations.ts';
import type { DeploymentProgress } from './fleet.ts';

/** The table at the end of the demo: a line a device. */
export function deviceTable(endings: readonly Ending[], deployments: readonly DeploymentProgress[]): string {
  const header = [
    'device',
    'runs',
    'partition',
    'other one',
    'reports',
    ...deployments.map((d) => d.artifactName),
  ];
  const rows = endings.map(({ state, reportedArtifact }) => [
    state.name,
    `version ${state.activeVersion}`,
    String(state.bootPartition),
    `version ${state.inactiveVersion}`,
    reportedArtifact,
    ...deployments.map((d) => d.devices.find((device) => device.deviceName === state.name)?.status ?? '-'),
  ]);
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
