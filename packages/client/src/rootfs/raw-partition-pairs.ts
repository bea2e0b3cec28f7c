import { ClientError } from '../client-error.ts';
import type { Files } from '../system/system.ts';

/** Two partitions for one thing, as raw-partitions.json describes them. */
export interface PairDescription {
  readonly A: string;
  readonly B: string;
  /** The bootloader's variable that holds the number of the one in use; without it, A goes with RootfsPartA and B with RootfsPartB. */
  readonly variable?: string | undefined;
}

const maxBytes = 64 * 1024;
/** What the bootloader's tools take for a name; and none that root file systems have. */
const variablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
const taken = new Set([
  'mender_boot_part',
  'mender_boot_part_hex',
  'upgrade_available',
  'bootcount',
  'bootlimit',
]);

/**
 * The pairs of this device by name: `{"kernel": {"A": "/dev/mmcblk0p5", "B": "/dev/mmcblk0p6", "variable": "kernel_part"}}`. Throws
 * `ClientError` `badConfiguration` that names every fault.
 */
export async function readPairDescriptions(
  files: Pick<Files, 'read'>,
  path: string,
): Promise<ReadonlyMap<string, PairDescription>> {
  const bytes = await files.read(path, maxBytes);
  if (bytes === undefined) {
    throw new ClientError(
      'badConfiguration',
      `There is no ${path}, which would say which partitions this device has.`,
    );
  }
  const entries = Object.entries(objectOf(Buffer.from(bytes).toString(), path));
  const faults = entries.flatMap(([name, pair]) => faultsOf(pair).map((fault) => `${name}: ${fault}`));
  if (faults.length > 0)
    throw new ClientError('badConfiguration', `Cannot use ${path}: ${faults.join('; ')}.`);
  return new Map(entries as [string, PairDescription][]);
}

function objectOf(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    throw new ClientError('badConfiguration', `Cannot use ${path}: it is no JSON.`, { cause: error });
  }
  throw new ClientError('badConfiguration', `Cannot use ${path}: it must hold an object of pairs by name.`);
}

function faultsOf(pair: unknown): readonly string[] {
  if (typeof pair !== 'object' || pair === null) return ['not an object'];
  const { A, B, variable, ...unknown } = pair as Readonly<Record<string, unknown>>;
  return [
    typeof A === 'string' && A !== '' ? [] : ['A is no path'],
    typeof B === 'string' && B !== '' ? [] : ['B is no path'],
    variable === undefined ||
    (typeof variable === 'string' && variablePattern.test(variable) && !taken.has(variable))
      ? []
      : ['variable is no name for one of its own'],
    Object.keys(unknown).map((key) => `${key} is not known`),
  ].flat();
}
