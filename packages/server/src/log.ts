import type { Line } from './gathered-lines.ts';

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/** One line of the server's log. Fields never hold secrets, and no query of a URL. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, LogValue>>) => void;
export type LogValue = string | number | boolean | null | undefined;

/** For tests and commands that have nothing to say. */
export const silentLog: Log = () => undefined;

/** `2026-11-21T06:00:00.000Z info message key=value`, one line each; line ends inside values are escaped. */
export const lineLog = (write: (line: Line) => void, now: () => number): Log => {
  const instant = instantText();
  return (level, message, fields = {}) => {
    const time = now();
    write(() => {
      // By hand: a line is written for each request, and lists of its parts would cost as much as the rest of it.
      let line = `${instant(time)} ${level} ${escapeControls(message)}`;
      for (const key in fields) {
        const value = fields[key];
        if (value !== undefined) line += ` ${key}=${printable(value)}`;
      }
      return `${line}\n`;
    });
  };
};

/** The same as one JSON object a line, for what collects logs: time, level, message, and the fields beside them. */
export const jsonLog =
  (write: (line: Line) => void, now: () => number): Log =>
  (level, message, fields = {}) => {
    const time = now();
    write(() => `${JSON.stringify({ time: new Date(time).toISOString(), level, message, ...fields })}\n`);
  };

/** As ISO 8601; lines of the same millisecond share the text. */
function instantText(): (time: number) => string {
  let last = Number.NaN;
  let text = '';
  return (time) => {
    if (time === last) return text;
    last = time;
    return (text = new Date(time).toISOString());
  };
}

export type LogFormat = 'text' | 'json';

export const logAs = { text: lineLog, json: jsonLog } as const satisfies Record<LogFormat, typeof lineLog>;

const printable = (value: LogValue): string =>
  typeof value === 'string' && !/^[\w./:@+-]+$/.test(value) ? JSON.stringify(value) : String(value);

// A line end or an escape sequence from outside must not forge a line or drive a terminal.
const escapeControls = (value: string): string => (/^[\x20-\x7e]*$/.test(value) ? value : escaped(value));

const escaped = (value: string): string =>
  value.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
