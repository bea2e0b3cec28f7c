import {
  artifactsPath,
  databasePath,
  keysPath,
  linkKeyPath,
} from '../packages/server/src/commands/data-directory.ts';
import { openSqliteDatabase, type Database } from '../packages/server/src/database/open-database.ts';
import { silentLog } from '../packages/server/src/log.ts';
import { openFileSystemStorage } from '../packages/server/src/object-storage/file-system-storage.ts';
import { readOrMakeLinkKey } from '../packages/server/src/object-storage/link-key.ts';
import { createServer } from '../packages/server/src/server.ts';
import { loadSigningKeys } from '../packages/server/src/tokens/signing-keys.ts';

/**
 * The whole server, with group commit or with a transaction for each unit of work; nothing else differs.
 *
 *     together DIR | each DIR
 */
const [grouping, directory = ''] = process.argv.slice(2);
const database = await openSqliteDatabase(databasePath(directory), Date.now);
const server = createServer({
  database: grouping === 'each' ? oneByOne(database) : database,
  objectStorage: await openFileSystemStorage(artifactsPath(directory)),
  keys: {
    deviceTokens: await loadSigningKeys(keysPath(directory), 'device-tokens'),
    userTokens: await loadSigningKeys(keysPath(directory), 'user-tokens'),
    downloadLinks: await readOrMakeLinkKey(linkKeyPath(directory)),
  },
  clock: Date.now,
  log: silentLog,
  configuration: {
    tls: undefined,
    publicUrl: undefined,
    requireSignature: false,
    nextV1Only: false,
    storageLimit: 0,
    serveDownloads: false,
    storesAlone: true,
    tokenCacheSize: 100_000,
    shutdownSeconds: 1,
  },
});
process.stdout.write(`ready at ${await server.listen({ host: '127.0.0.1', port: 0 })}\n`);
process.once('SIGTERM', () => void server.close());

/** The next unit is asked for when the one before is on disk: every group is one. */
function oneByOne(inner: Database): Database {
  let last: Promise<unknown> = Promise.resolve();
  return {
    ...inner,
    unitOfWork: (work) => {
      const answer = last.then(() => inner.unitOfWork(work));
      last = answer.catch(() => undefined);
      return answer;
    },
  };
}
