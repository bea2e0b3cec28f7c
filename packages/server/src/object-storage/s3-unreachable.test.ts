import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { errorAnswer } from '../http/error-answer.ts';
import { dropObject } from '../releases/drop-object.ts';
import { readS3Location } from './s3-location.ts';
import { s3Storage } from './s3-storage.ts';

const key = { tenant: 't1', id: 'a1' };

/** A bucket at whatever answers there; nothing of S3 is imitated but that it is not at home. */
async function bucketAt(t: TestContext, status: number | 'hangs up') {
  const asked = { times: 0 };
  const server = createServer((request, response) => {
    asked.times += 1;
    if (status === 'hangs up') request.socket.destroy();
    else response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  // A TCP server has an address once it listens.
  const { port } = server.address() as AddressInfo;
  const location = readS3Location(`s3://ota?endpoint=http://127.0.0.1:${port}`);
  assert.ok(location);
  const credentials = { accessKeyId: 'key', secretAccessKey: 'very secret', sessionToken: undefined };
  return { asked, storage: s3Storage({ location, credentials, clock: Date.now }) };
}

for (const status of ['hangs up', 503, 500] as const) {
  test(`a bucket that answers nothing useful (${status}) is asked a few times, then the caller is told to come again`, async (t) => {
    const { asked, storage } = await bucketAt(t, status);
    await assert.rejects(storage.head(key), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'unreachable');
      assert.doesNotMatch(error.message, /very secret|Signature/);
      const { status: told, body } = errorAnswer(error, 'r1');
      assert.equal(told, 503);
      assert.deepEqual(body, {
        error: 'the storage of artifacts does not answer; try again later',
        request_id: 'r1',
      });
      return true;
    });
    assert.equal(asked.times, 5);
  });
}

test('a bucket that is full says so to the caller', async (t) => {
  const { storage } = await bucketAt(t, 507);
  await assert.rejects(storage.head(key), (error) => errorAnswer(error, 'r1').status === 507);
});

test('who gives up is not kept waiting', async (t) => {
  const { storage } = await bucketAt(t, 503);
  const signal = AbortSignal.timeout(50);
  await assert.rejects(storage.keys(0, signal)[Symbol.asyncIterator]().next(), { name: /Abort|Timeout/ });
});

test('an object that cannot be deleted now is left for later, and that is noted', async (t) => {
  const { storage } = await bucketAt(t, 'hangs up');
  const noted: string[] = [];
  await dropObject(storage, (level, message) => void noted.push(`${level} ${message}`), key);
  assert.deepEqual(noted, [
    'warning an object that is not needed any more could not be deleted; it will be later',
  ]);
});
