import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { artifactForm, packArtifact } from '../deployments/test-data/test-artifact.ts';
import { readS3Location } from '../object-storage/s3-location.ts';
import { s3Requests } from '../object-storage/s3-requests.ts';
import { s3Storage } from '../object-storage/s3-storage.ts';
import { elements } from '../object-storage/s3-xml.ts';
import { runServerCommand, startServerProcess } from '../testing/server-process.ts';
import { environmentOf, startSwift, type RunningSwift } from '../testing/start-swift.ts';

let swift: RunningSwift;
before(async () => {
  swift = await startSwift();
  Object.assign(process.env, environmentOf(swift));
});
after(() => swift.stop());

const artifacts = '/api/management/v1/deployments/artifacts';
const user = { email: 'admin@example.com', password: 'correct horse battery' };

const withPrefix = (prefix: string): string => swift.storage.replace('?', `/${prefix}?`);

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tandem-bucket-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function dataWithUser(t: TestContext): Promise<string> {
  const data = join(await directory(t), 'data');
  const made = await runServerCommand(
    ['user', 'create', '--data-dir', data, '--email', user.email, '--password-stdin'],
    user.password,
  );
  assert.equal(made.code, 0, made.stderr);
  return data;
}

async function logIn(url: string): Promise<Record<string, string>> {
  const basic = Buffer.from(`${user.email}:${user.password}`).toString('base64');
  const answer = await fetch(`${url}/api/management/v1/useradm/auth/login`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
  });
  return { authorization: `Bearer ${await answer.text()}` };
}

const bucketOf = (storage: string) => {
  const location = readS3Location(storage);
  assert.ok(location);
  const { accessKeyId, secretAccessKey } = swift;
  const credentials = { accessKeyId, secretAccessKey, sessionToken: undefined };
  return { location, credentials, clock: Date.now };
};

describe('a server that keeps its artifacts in a bucket', () => {
  it('serves them, also after a restart; backups have what is in the database, doctor looks into the bucket', async (t) => {
    const data = await dataWithUser(t);
    const options = ['--http', '--storage', withPrefix('served')];
    const first = await startServerProcess(data, options);
    const bytes = await packArtifact({ name: 'release-1', content: randomBytes(1_000_000) });
    const stored = await fetch(`${first.url}${artifacts}`, {
      method: 'POST',
      headers: await logIn(first.url),
      body: artifactForm(bytes),
    });
    assert.equal(stored.status, 201);
    const id = stored.headers.get('location')?.split('/').at(-1) ?? '';
    const commandLine = await readFile(`/proc/${first.process.pid}/cmdline`, 'utf8');
    assert.doesNotMatch(commandLine, /testing/);
    assert.equal(await first.end('SIGTERM'), 0);
    assert.doesNotMatch(first.output(), /testing|X-Amz/);

    const copy = join(data, '..', 'copy');
    const backup = await runServerCommand(['backup', '--data-dir', data, ...options.slice(1), '--to', copy]);
    assert.equal(backup.code, 0, backup.stderr);
    assert.match(backup.stdout, /the artifacts stay in s3:\/\/artifacts\/served/);
    const restored = join(data, '..', 'restored');
    const restore = await runServerCommand(['restore', '--data-dir', restored, '--from', copy]);
    assert.equal(restore.code, 0, restore.stderr);

    const second = await startServerProcess(restored, options);
    const link = await fetch(`${second.url}${artifacts}/${id}/download`, {
      headers: await logIn(second.url),
    });
    const { uri } = (await link.json()) as { uri: string };
    assert.ok(Buffer.from(await (await fetch(uri)).arrayBuffer()).equals(bytes));
    assert.equal(await second.end('SIGTERM'), 0);

    const doctor = ['doctor', '--data-dir', restored, ...options.slice(1)];
    const healthy = await runServerCommand([...doctor, '--read-artifacts']);
    assert.equal(healthy.code, 0, healthy.stdout);
    assert.match(healthy.stdout, /ok +every artifact is stored as it was uploaded/);
    const storage = s3Storage(bucketOf(withPrefix('served')));
    const key = { tenant: '000000000000000000000001', id };
    await storage.delete(key);
    const missing = await runServerCommand(doctor);
    assert.equal(missing.code, 1);
    assert.match(missing.stdout, /artifact release-1 is missing/);
    async function* another(): AsyncGenerator<Uint8Array> {
      yield Buffer.concat([bytes.subarray(0, -1), Buffer.from('x')]);
    }
    await storage.put(key, another());
    assert.equal((await runServerCommand(doctor)).code, 0, 'by its size alone it is the same');
    const altered = await runServerCommand([...doctor, '--read-artifacts']);
    assert.equal(altered.code, 1);
    assert.match(altered.stdout, /artifact release-1 is not what was uploaded/);
  });

  it('is the only one below its prefix', async (t) => {
    const options = ['--http', '--storage', withPrefix('mine')];
    const [mine, yours] = [await dataWithUser(t), await dataWithUser(t)];
    assert.equal(await (await startServerProcess(mine, options)).end('SIGTERM'), 0);
    await assert.rejects(
      startServerProcess(yours, options),
      /belongs to another server: give each a bucket or a prefix/,
    );
    assert.equal(await (await startServerProcess(mine, options)).end('SIGTERM'), 0);
  });

  it('does not start with what cannot work, and says what', async (t) => {
    const data = await dataWithUser(t);
    const noBucket = swift.storage.replace('artifacts', 'none-such');
    await assert.rejects(
      startServerProcess(data, ['--http', '--storage', noBucket]),
      /NoSuchBucket|not exist/,
    );
    await assert.rejects(startServerProcess(data, ['--http', '--storage', 's3://']), /give s3:\/\/BUCKET/);
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong';
    const wrongKey = startServerProcess(data, ['--http', '--storage', swift.storage]);
    await assert.rejects(
      wrongKey,
      (error: Error) => /403/.test(error.message) && !/wrong/.test(error.message),
    );
    delete process.env['AWS_SECRET_ACCESS_KEY'];
    await assert.rejects(
      startServerProcess(data, ['--http', '--storage', swift.storage]),
      /needs AWS_ACCESS_KEY_ID/,
    );
    const argument = ['--http', '--storage', swift.storage, '--storage-secret-key', 'testing'];
    await assert.rejects(
      startServerProcess(data, argument),
      /a secret on the command line is seen by every user/,
    );
    process.env['AWS_SECRET_ACCESS_KEY'] = swift.secretAccessKey;
  });

  it('gives up the parts of an upload that breaks off, and finds those that a killed server left', async () => {
    const world = bucketOf(withPrefix('left'));
    const [storage, requests] = [s3Storage(world), s3Requests(world.location, world.credentials, Date.now)];
    const before = await swift.filesOnDisk();
    const content = randomBytes(50_000_000);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield content;
      yield content;
      assert.ok((await swift.filesOnDisk()) > before, 'parts are on their way');
      throw new Error('the sender is gone');
    }
    const key = () => ({ tenant: 't1', id: randomUUID() });
    await assert.rejects(storage.put(key(), broken()), /sender is gone/);
    assert.equal(await swift.filesOnDisk(), before);

    // As a server leaves it that is killed: begun, a part sent, and no more.
    const name = `left/t1/${randomUUID()}`;
    const begun = await requests.text({ method: 'POST', name, query: { uploads: '' } });
    const uploadId = elements(begun, 'UploadId')[0] ?? '';
    await requests.headers({ method: 'PUT', name, query: { uploadId, partNumber: '1' }, body: 'part' });
    assert.equal(await storage.removeUnfinished(60_000), 0, 'another server may be at it');
    assert.equal(await storage.removeUnfinished(-5000), 1);
    assert.equal(await swift.filesOnDisk(), before);
  });
});
