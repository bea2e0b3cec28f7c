import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  copiesOf,
  openArtifactFile,
  rootfsImage,
  writeArtifactFile,
  type WriteOptions,
} from '@tandem/artifact';
import { buildBundle } from '../../build-bundle.ts';
import { savedEvery } from '../deployment/download-progress.ts';
import { startArtifactServer } from './artifact-server.ts';
import { makeVirtualDevice } from './virtual-device.ts';

/*
 * Downloads of the whole client, as a process that is killed in their midst; the bytes a server gave are counted. The content is
 * noise, so that bytes of the artifact and of the image are about the same.
 */
const directory = await mkdtemp(join(tmpdir(), 'resumed-downloads-'));
after(() => rm(directory, { recursive: true }));

const MiB = 1024 * 1024;
const program = join(directory, 'mender-update.mjs');
const image = randomBytes(36 * MiB + 12_345);
/**
 * What a cut may cost: what came since progress was saved last, the rest of a restart point's piece, and what was on its way through the
 * network and the decompressor.
 */
const costBytes = savedEvery.bytes + 4 * MiB + 12 * MiB;

async function pack(name: string, options: WriteOptions): Promise<string> {
  const path = join(directory, `${name}.mender`);
  const source = { name: 'rootfs.ext4', sizeBytes: image.length, open: () => chunksOf(image) };
  await writeArtifactFile(
    {
      artifactName: 'version-2',
      depends: { deviceTypes: ['virtual'] },
      payload: rootfsImage({ artifactName: 'version-2', image: source }),
    },
    path,
    options,
  );
  return path;
}

/** As other tools write it: the payload's archive is one gzip member, so there is no place to begin anew. */
async function packInOneMember(): Promise<Buffer> {
  const { description } = await openArtifactFile(await pack('plain', { compression: 'none' }));
  const { packed } = description.payload;
  assert.ok(packed !== undefined);
  const archive: Uint8Array[] = [];
  for await (const piece of copiesOf(packed.open())) archive.push(piece);
  const member = gzipSync(Buffer.concat(archive), { level: 1 });
  const path = join(directory, 'one-member.mender');
  const content = {
    ...packed,
    compression: 'gzip',
    sizeBytes: member.length,
    open: () => chunksOf(member),
  } as const;
  await writeArtifactFile({ ...description, payload: { ...description.payload, packed: content } }, path, {
    compression: 'gzip',
  });
  return readFile(path);
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += MiB) yield await Promise.resolve(bytes.subarray(at, at + MiB));
}

let artifact: Buffer;
before(async () => {
  await buildBundle(program);
  artifact = await readFile(await pack('many-members', { compression: 'gzip', level: 1 }));
});

async function site(t: TestContext, name: string, offered = artifact) {
  const server = await startArtifactServer(offered);
  const home = join(directory, name);
  t.after(() => rm(home, { recursive: true, force: true }));
  t.after(server.close);
  const active = Buffer.alloc(MiB, 'version 1 ');
  const device = await makeVirtualDevice({
    home,
    program,
    serverUrl: server.url,
    active,
    inactive: Buffer.alloc(image.length + MiB),
  });
  const { seen, behaviour } = server;
  return {
    ...server,
    device,
    /** The client is killed when the server has given this byte of the artifact. */
    killAt: async (byte: number) => {
      behaviour.holdAt = byte;
      seen.held = false;
      const { signal, log } = await device.bootUntil(() => seen.held, 'SIGKILL');
      behaviour.holdAt = Infinity;
      assert.equal(signal, 'SIGKILL', log);
      return log;
    },
    toTheReboot: () => device.boot(() => seen.statuses.includes('rebooting') || seen.log !== ''),
    finish: () => device.boot(() => seen.inventory.includes('version-2')),
    holdsImage: async () => (await readFile(device.partitions[3])).subarray(0, image.length).equals(image),
  };
}

describe('a client killed while it downloads', () => {
  test('goes on where its bytes are safe, as often as it is killed, and the image is whole', async (t) => {
    const { killAt, toTheReboot, finish, holdsImage, seen } = await site(t, 'killed');
    const kills = [22, 23, 34].map((at) => at * MiB + Math.floor(Math.random() * MiB));
    t.diagnostic(`killed at bytes ${kills.join(', ')}`);
    await killAt(kills[0] ?? 0);
    for (const byte of kills.slice(1)) assert.match(await killAt(byte), /goes on at byte \d+ of/);
    const log = await toTheReboot();
    assert.match(log, /goes on at byte \d+ of .* hashed again/);
    assert.ok(!log.includes('secret'), 'the link is not in the log');
    assert.ok(await holdsImage(), log);
    const extraBytes = seen.servedBytes - artifact.length;
    t.diagnostic(
      `${seen.servedBytes} bytes fetched of an artifact of ${artifact.length}, killed ${kills.length} times`,
    );
    assert.ok(extraBytes <= kills.length * costBytes, `${extraBytes} bytes fetched twice`);
    await finish();
    // A repeated `downloading` is what a server hears of an interruption.
    const again = kills.map(() => 'downloading');
    assert.deepEqual(seen.statuses, [
      ...again,
      'downloading',
      'installing',
      'rebooting',
      'installing',
      'success',
    ]);
  });

  test('asks for a new link when the one it had has expired meanwhile', async (t) => {
    const { killAt, toTheReboot, holdsImage, seen, behaviour } = await site(t, 'expired');
    await killAt(24 * MiB);
    behaviour.goodLinksFrom = seen.polls + 1;
    const log = await toTheReboot();
    assert.match(log, /not valid any more \(403\); asking for a new one/);
    assert.equal(seen.polls, behaviour.goodLinksFrom);
    assert.ok(await holdsImage(), log);
    assert.ok(seen.servedBytes - artifact.length <= costBytes);
  });

  for (const [what, change] of [
    ['ETag', { etag: '"two"' }],
    ['ETag, on a server that does not know If-Range', { etag: 'W/"two"' }],
  ] as const) {
    test(`starts at zero when the artifact has changed on the server: ${what}`, async (t) => {
      const { killAt, toTheReboot, holdsImage, seen, behaviour } = await site(
        t,
        `changed-${change.etag.length}`,
      );
      if (change.etag.startsWith('W/')) behaviour.etag = 'W/"one"';
      await killAt(24 * MiB);
      Object.assign(behaviour, change);
      const before = seen.servedBytes;
      const log = await toTheReboot();
      assert.match(log, /it has changed \(ETag .*The download starts at zero/);
      assert.ok(seen.servedBytes - before >= artifact.length, 'the whole was fetched again');
      assert.ok(await holdsImage(), log);
    });
  }

  test('finds by its hash that the partition was altered meanwhile, and starts at zero', async (t) => {
    const { killAt, toTheReboot, holdsImage, seen, device } = await site(t, 'altered');
    await killAt(24 * MiB);
    const file = await open(device.partitions[3], 'r+');
    await file.write(Buffer.from('altered'), 0, 7, 3 * MiB);
    await file.close();
    const log = await toTheReboot();
    assert.match(log, /goes on at byte/);
    assert.match(log, /its SHA-256 is .*The download starts at zero/);
    assert.ok(await holdsImage(), log);
    assert.equal(seen.log, '', 'no failure');
  });

  test('starts at zero, and says so, with an artifact that has no restart points', async (t) => {
    const offered = await packInOneMember();
    const { killAt, toTheReboot, holdsImage, seen } = await site(t, 'one-member', offered);
    await killAt(24 * MiB);
    const before = seen.servedBytes;
    const log = await toTheReboot();
    assert.match(log, /interrupted and starts at zero: .*restart points/);
    assert.equal(seen.servedBytes - before, offered.length);
    assert.ok(await holdsImage(), log);
  });
});

describe('a download whose connection breaks', () => {
  test('costs at most a block each time', async (t) => {
    const { toTheReboot, holdsImage, seen, behaviour } = await site(t, 'broken');
    const cuts = [1, 7 * MiB + 1, 19 * MiB, artifact.length - 1];
    behaviour.cutAt = cuts[0] ?? 0;
    const watching = setInterval(() => {
      const passed = seen.ranges.length;
      if (passed > 0) behaviour.cutAt = cuts[passed] ?? Infinity;
    }, 5);
    const log = await toTheReboot();
    clearInterval(watching);
    assert.ok(seen.ranges.length > cuts.length, log);
    assert.ok(await holdsImage(), log);
    const extraBytes = seen.servedBytes - artifact.length;
    t.diagnostic(`${extraBytes} bytes fetched twice in ${cuts.length} breaks`);
    assert.ok(extraBytes <= cuts.length * MiB, `${extraBytes} bytes fetched twice`);
  });

  test('goes on with a new link when the old one has expired in between', async (t) => {
    const { toTheReboot, holdsImage, seen, behaviour } = await site(t, 'link');
    behaviour.cutAt = 10 * MiB;
    const watching = setInterval(() => {
      if (seen.ranges.length === 0) return;
      behaviour.goodLinksFrom = 2;
      behaviour.cutAt = Infinity;
      clearInterval(watching);
    }, 5);
    const log = await toTheReboot();
    assert.match(log, /not valid any more \(403\); asking for a new one/);
    assert.equal(seen.polls, 2);
    assert.ok(await holdsImage(), log);
    assert.ok(seen.servedBytes - artifact.length <= MiB);
  });
});
