export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/** One line of the server's log. Fields never hold secrets, and no query of a URL. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, LogValue>>) => void;
export type LogValue = string | number | boolean | null | undefined;

/** For tests and commands that have nothing to say. */
export const silentLog: Log = () => undefined;

/** `2026-11-21T06:00:00.000Z info message key=value`, one line each; line ends inside values are escaped. */
export const lineLog =
  (write: (line: string) => void, now: () => number): Log =>
  (level, message, fields = {}) => {
    const rest = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}=${printable(value)}`)
      .join('');
    write(`${new Date(now()).toISOString()} ${level} ${escapeControls(message)}${rest}\n`);
  };

/** The same as one JSON object a line, for what collects logs: time, level, message, and the fields beside them. */
export const jsonLog =
  (write: (line: string) => void, now: () => number): Log =>
  (level, message, fields = {}) =>
    write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, message, ...fields })}\n`);

export type LogFormat = 'text' | 'json';

export const logAs = { text: lineLog, json: jsonLog } as const satisfies Record<LogFormat, typeof lineLog>;

const printable = (value: LogValue): string =>
  typeof value === 'string' && !/^[\w./:@+-]+$/.test(value) ? JSON.stringify(value) : String(value);

// A line end or an escape sequence from outside must not forge a line or drive a terminal.
const escapeControls = (value: string): string =>
  value.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
