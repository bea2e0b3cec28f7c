import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
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
