import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { sql } from 'kysely';
import { startWholeServer } from '../testing/whole-server.ts';
import { readiness } from './readiness.ts';

const later = 6000;

describe('/ready', () => {
  it('answers 200 while database, migrations and storage work', async () => {
    await using server = await startWholeServer();
    const { status, json } = await server.request('GET', '/ready');
    assert.deepEqual([status, json], [200, { status: 'ready' }]);
  });

  it('names the storage that cannot be written to, and nothing of the machine; and takes it back', async () => {
    await using server = await startWholeServer();
    const artifacts = join(server.directory, 'artifacts');
    await rename(artifacts, `${artifacts}.away`);
    await writeFile(artifacts, '');
    const { status, json, text } = await server.request('GET', '/ready');
    assert.equal(status, 503);
    assert.equal((json as { error: string }).error, 'not ready: storage');
    assert.doesNotMatch(text, /artifacts|tmp|E[A-Z]{4,}/);
    assert.ok(
      server.logged.some((line) => /not ready: storage.*ENOTDIR/.test(line)),
      'the log tells why',
    );
    assert.equal((await server.request('GET', '/health')).status, 200, 'it lives all the same');
    await rename(`${artifacts}.away`, `${artifacts}.back`);
    await rename(artifacts, `${artifacts}.file`);
    await rename(`${artifacts}.back`, artifacts);
    assert.equal(
      (await server.request('GET', '/ready')).status,
      503,
      'not looked at again within five seconds',
    );
    server.time.offsetMs += later;
    assert.equal((await server.request('GET', '/ready')).status, 200);
  });

  it('names migrations that are not there', async () => {
    await using server = await startWholeServer();
    await server.database.unitOfWork(async (tx) => {
      await sql`DELETE FROM migrations WHERE number = (SELECT max(number) FROM migrations)`.execute(tx);
    });
    const { status, json } = await server.request('GET', '/ready');
    assert.deepEqual([status, (json as { error: string }).error], [503, 'not ready: migrations']);
  });

  it('waits two seconds at most for what does not answer', async () => {
    await using server = await startWholeServer();
    const logged: string[] = [];
    let probes = 0;
    const partsThatFail = readiness({
      database: server.database,
      objectStorage: {
        put: () => {
          probes += 1;
          return new Promise(() => undefined);
        },
        delete: () => Promise.resolve(),
      },
      clock: Date.now,
      log: (_level, message, fields) => logged.push(`${message} ${String(fields?.['cause'])}`),
    });
    const started = performance.now();
    const answers = await Promise.all([partsThatFail(), partsThatFail(), partsThatFail()]);
    assert.ok(performance.now() - started < 4000);
    assert.deepEqual(answers, [['storage'], ['storage'], ['storage']]);
    assert.equal(probes, 1, 'whoever asks meanwhile waits for the same');
    assert.deepEqual(logged, ['not ready: storage no answer within 2000 ms']);
  });
});
