import { writeFaults, type Fault } from './failing-medium.ts';
import type { Installer, makeFailingDevice, Verdict } from './failing-device.ts';

/** What became of the installations with one kind of fault, each at another write or flush. */
export interface MediaTrials {
  readonly kind: Fault['kind'];
  readonly counts: Readonly<Record<Verdict, number>>;
  /** The faults that were missed. */
  readonly missed: readonly Fault[];
}

/**
 * Installs once on a sound disk, to count its writes and flushes, then once for each kind of fault and each of them. Throws when the
 * installation on the sound disk fails: nothing could be said of the others then.
 */
export async function tryMedia(
  device: Awaited<ReturnType<typeof makeFailingDevice>>,
  installer: Installer,
  told: (trials: MediaTrials) => void = () => undefined,
): Promise<readonly MediaTrials[]> {
  const { verdict, said } = await device.install(installer);
  if (verdict !== 'harmless') throw new Error(`The installation on a sound disk failed: ${said}`);
  const { writes, flushes } = { ...device.seen };
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  const faults: readonly (readonly [Fault['kind'], readonly Fault[]])[] = [
    ...(Object.keys(writeFaults) as (keyof typeof writeFaults)[]).map(
      (kind) => [kind, numbers(writes).map((write) => ({ kind, write }))] as const,
    ),
    [
      'flush answered with EIO',
      numbers(flushes).map((flush) => ({ kind: 'flush answered with EIO', flush }) as const),
    ],
  ];
  const all: MediaTrials[] = [];
  for (const [kind, ofKind] of faults) {
    const counts = { detected: 0, harmless: 0, missed: 0 };
    const missed: Fault[] = [];
    for (const fault of ofKind) {
      const { verdict: found } = await device.install(installer, fault);
      counts[found] += 1;
      if (found === 'missed') missed.push(fault);
    }
    const trials = { kind, counts, missed };
    told(trials);
    all.push(trials);
  }
  return all;
}
