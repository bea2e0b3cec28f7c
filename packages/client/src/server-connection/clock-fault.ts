import type { Files } from '../system/system.ts';

/** What is known of the time on this device. */
export interface ClockState {
  readonly now: number;
  /** Whether the clock was set by a time server since the boot; undefined where nobody says. */
  readonly synchronised: boolean | undefined;
}

export interface ClockFault {
  /** What is wrong and what to do, as the end of a sentence. */
  readonly reason: string;
  /** Soon, since the clock may be set at any moment: a device must not wait for its next poll then. */
  readonly retryAfterMs: number;
}

const seconds = 1000;
/** Before this software was written no clock can be right. */
const earliestPlausible = Date.UTC(2025, 0, 1);

/** Reads a failed connection as a question of time; undefined when it is none. `code` is that of the TLS library's error. */
export function clockFaultOf(code: unknown, { now, synchronised }: ClockState): ClockFault | undefined {
  if (code !== 'CERT_NOT_YET_VALID' && code !== 'CERT_HAS_EXPIRED') return undefined;
  const time = Number.isFinite(now) ? new Date(now).toISOString() : 'its own time';
  if (now < earliestPlausible) {
    return {
      reason: `the clock of this device has not been set yet (it says ${time}), so no certificate can be checked; trying again until it is set`,
      retryAfterMs: 10 * seconds,
    };
  }
  if (synchronised === false) {
    return {
      reason: `the server's certificate does not fit the time ${time}, and the clock of this device has not been synchronised since it started; waiting for a time server`,
      retryAfterMs: 10 * seconds,
    };
  }
  if (code === 'CERT_NOT_YET_VALID') {
    return {
      reason: `the server's certificate is not valid yet at ${time}: set the clock of this device, or look when the certificate begins`,
      retryAfterMs: 30 * seconds,
    };
  }
  return {
    reason: `the server's certificate has expired by ${time}: renew it, or set the clock of this device if that is wrong`,
    retryAfterMs: 60 * seconds,
  };
}

/** As systemd-timesyncd says it in the file system, under `directory`. */
export async function timeIsSynchronised(
  files: Pick<Files, 'kind'>,
  directory = '/run/systemd/timesync',
): Promise<boolean | undefined> {
  if ((await files.kind(directory)) === undefined) return undefined;
  return (await files.kind(`${directory}/synchronized`)) !== undefined;
}
