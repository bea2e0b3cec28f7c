import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultTenant, systemActor } from '../actor.ts';
import { silentLog } from '../log.ts';
import type { ObjectStorage } from '../object-storage/object-storage.ts';
import { openFileSystemStorage } from '../object-storage/file-system-storage.ts';
import { ServerError } from '../server-error.ts';
import { createDirectUploads } from './direct-uploads.ts';
import { startWholeServer } from '../testing/whole-server.ts';

const direct = '/api/management/v1/deployments/artifacts/directupload';

// With a bucket: s3-suite/direct-upload.s3-test.ts.
test('a server without a bucket takes no uploads past itself, and says so in the way clients know', async () => {
  await using server = await startWholeServer();
  const { token } = server;
  assert.equal((await server.request('POST', direct, { token })).status, 404);
  assert.equal(
    (await server.request('POST', `${direct}/${randomUUID()}/complete`, { token, body: {} })).status,
    404,
  );
  assert.equal((await server.request('POST', direct)).status, 401);
});

test('with a bucket, whoever sees only some releases is answered as if there were none', async () => {
  await using server = await startWholeServer();
  const files = await openFileSystemStorage(join(server.directory, 'bucket'));
  const bucket = 'https://bucket.example/object';
  const storage: ObjectStorage = {
    ...files,
    head: async () => ({ sizeBytes: 1, etag: '"1"' }),
    links: { upload: async () => bucket, download: async () => bucket },
  };
  const uploads = createDirectUploads({
    database: server.database,
    storage,
    clock: Date.now,
    log: silentLog,
    upload: () => assert.fail(),
    uploadCompleted: () => undefined,
  });
  const everybody = systemActor(defaultTenant, 'test');
  const scoped = { ...everybody, scope: { groups: 'all', tags: ['mine'] } } as const;
  const isNotFound = (error: unknown) => error instanceof ServerError && error.code === 'notFound';
  const { id, uri } = await uploads.request(everybody);
  assert.equal(uri, bucket);
  await assert.rejects(uploads.request(scoped), isNotFound);
  await assert.rejects(uploads.complete(scoped, id), isNotFound);
  await uploads.complete(everybody, id);
});
