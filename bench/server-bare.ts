import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';

/**
 * What the server is compared with: `node:http` and as little as can be done.
 *
 *     read FILE   each request reads one device by its id, over the index, and answers 204; a body is read, and understood as JSON
 *     write FILE  each request writes one value of a device in a transaction of its own, on disk when it is answered
 *
 * The id is the last part of the path.
 */
const tenant = '000000000000000000000001';
const [kind, file] = process.argv.slice(2);
const sqlite = new DatabaseSync(file ?? '', { timeout: 5000 });
sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');

const work: Readonly<Record<string, () => (id: string) => void>> = {
  read: () => {
    const device = sqlite.prepare('SELECT * FROM devices WHERE tenant = ? AND id = ?');
    return (id) => {
      if (device.get(tenant, id) === undefined) throw new Error(`no device ${id}`);
    };
  },
};
const answer = work[kind ?? '']?.();
if (answer === undefined) throw new Error('server-bare.ts read FILE');

const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    if (pieces.length > 0) JSON.parse(Buffer.concat(pieces).toString());
    answer(request.url?.slice(request.url.lastIndexOf('/') + 1) ?? '');
    response.writeHead(204).end();
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null)
    process.stdout.write(`ready at http://127.0.0.1:${address.port}\n`);
});
process.once('SIGTERM', () => {
  server.closeAllConnections();
  server.close(() => sqlite.close());
});
