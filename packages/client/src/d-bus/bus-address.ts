/** Where the system bus is when nothing else is said. */
export const usualSystemBus = 'unix:path=/var/run/dbus/system_bus_socket';

/**
 * The sockets of a D-Bus address, in the order they are to be tried, as `node:net` takes them: a path, or a name after a zero
 * byte for an abstract one. Throws when it has none that is a Unix socket.
 */
export function socketsOf(address: string): string[] {
  const sockets = address.split(';').flatMap((one) => {
    const [transport, parameters] = splitAt(one.trim(), ':');
    if (transport !== 'unix') return [];
    const values = new Map(parameters.split(',').map((pair) => splitAt(pair, '=')));
    const path = values.get('path');
    const abstract = values.get('abstract');
    if (path !== undefined && path !== '') return [unescape(path)];
    return abstract === undefined || abstract === '' ? [] : [`\0${unescape(abstract)}`];
  });
  if (sockets.length > 0) return sockets;
  throw new Error(`${JSON.stringify(address)} names no Unix socket (unix:path=… or unix:abstract=…)`);
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)];
}

const unescape = (text: string): string =>
  Buffer.from(
    text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  ).toString();
