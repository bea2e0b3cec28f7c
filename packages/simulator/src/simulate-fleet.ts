import { setTimeout as wait } from 'node:timers/promises';
import { chancesOf } from './chances.ts';
import { deviceIdentity } from './device-identity.ts';
import { kindOf, type DeviceKind } from './fleet-profile.ts';
import { runDevice } from './simulated-device.ts';
import { tally, type Tally } from './tally.ts';

export interface FleetSimulation {
  readonly serverUrl: string;
  readonly devices: number;
  readonly kinds: readonly DeviceKind[];
  /** The same seed is the same fleet: keys, kinds, and who fails where. */
  readonly seed: string;
  readonly fetch: typeof fetch;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Told how far it is, every so often. */
  readonly onProgress?: { readonly everyMs: number; readonly tell: (line: string) => void };
}

/**
 * Runs the fleet until the signal; resolves with what has happened. What servers answer never ends it. Throws what is wrong with the
 * simulator itself.
 */
export async function simulateFleet(simulation: FleetSimulation): Promise<Tally> {
  const { serverUrl, devices, kinds, seed, fetch, onProgress } = simulation;
  const counted = tally(devices);
  const failed = new AbortController();
  const signal = AbortSignal.any([simulation.signal, failed.signal]);
  const tellProgress = async (): Promise<void> => {
    while (onProgress !== undefined) {
      await wait(onProgress.everyMs, undefined, { signal });
      onProgress.tell(counted.progress());
    }
  };
  const run = async (number: number): Promise<void> => {
    const chances = chancesOf(seed, `device/${number}`);
    const kind = kindOf(kinds, chances.draw());
    const device = { number, kind, chances, identity: deviceIdentity(seed, number) };
    for (;;) {
      try {
        await runDevice(device, { serverUrl, fetch, tally: counted, signal });
      } catch (error) {
        // A download whose server went away: the device begins anew, as after a power cut.
        if (signal.aborted || !(error instanceof TypeError)) throw error;
        counted.request('download', 'unreachable', 0);
        await wait(kind.retrySeconds * 1000, undefined, { signal });
      }
    }
  };
  const all = Array.from({ length: devices }, (_, number) => run(number));
  const ended = await Promise.all(
    [...all, tellProgress()].map((one) =>
      one.catch((error: unknown) => {
        if (signal.aborted) return undefined;
        failed.abort();
        return { error };
      }),
    ),
  );
  const fault = ended.find((one) => one !== undefined);
  if (fault !== undefined) throw fault.error;
  return counted;
}
