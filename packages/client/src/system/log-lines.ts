import { logLevels, type Log, type LogLevel } from './system.ts';

/**
 * A log in the client's line format, one record a line (client contract 2.5):
 * `record_id=1 severity=info time="2026-01-31T12:00:00.000Z" name="Global" msg="…"`.
 * Records below `level` are left out.
 */
export function logLines(level: LogLevel, write: (line: string) => void, now: () => number): Log {
  const lowest = logLevels.indexOf(level);
  let records = 0;
  return (severity, message) => {
    if (logLevels.indexOf(severity) < lowest) return;
    records += 1;
    const time = new Date(now()).toISOString();
    write(
      `record_id=${records} severity=${severity} time="${time}" name="Global" msg=${JSON.stringify(message)}\n`,
    );
  };
}
