/**
 * What U-Boot does with Mender's variables at power-on, as a pure function (client contract 17.4): count the attempts of a
 * trial boot, and after the last one give the old partition back.
 */

export type Variables = ReadonlyMap<string, string>;

export interface BootDecision {
  readonly partition: number;
  /** What the bootloader writes to its environment before it starts the kernel. */
  readonly changes: Readonly<Record<string, string>>;
  readonly reason: 'normal' | 'trial' | 'rolledBack';
}

/** The environment a device leaves the factory with. */
export const factoryEnvironment = {
  bootcount: '0',
  bootlimit: '1',
  mender_boot_part: '2',
  mender_boot_part_hex: '2',
  upgrade_available: '0',
} as const;

/** The two root file systems, by partition number. */
export const rootPartitions = { a: 2, b: 3 } as const;

export function decideBoot(environment: Variables): BootDecision {
  const partition = Number(environment.get('mender_boot_part'));
  if (partition !== rootPartitions.a && partition !== rootPartitions.b) {
    throw new Error(
      `mender_boot_part is "${environment.get('mender_boot_part') ?? ''}", which is no root partition`,
    );
  }
  if (environment.get('upgrade_available') !== '1') return { partition, changes: {}, reason: 'normal' };

  const bootcount = Number(environment.get('bootcount') ?? '0') + 1;
  if (bootcount <= Number(environment.get('bootlimit') ?? '1')) {
    return { partition, changes: { bootcount: String(bootcount) }, reason: 'trial' };
  }
  const other = partition === rootPartitions.a ? rootPartitions.b : rootPartitions.a;
  return {
    partition: other,
    changes: {
      bootcount: String(bootcount),
      mender_boot_part: String(other),
      mender_boot_part_hex: other.toString(16),
      upgrade_available: '0',
    },
    reason: 'rolledBack',
  };
}
