/**
 * What an artifact of up to 10 GiB costs the server: time, memory at its highest, and whether every byte comes back. The artifact is
 * made while it is sent (its payload is zeros, not compressed), and sent without a word on its size.
 *
 *     node bench/large-upload.ts [--gib 10] [--storage files|bucket] [--keep]
 *
 * `bucket` is Swift of Debian's packages (see the suite server-s3), which pays for most of the time then. Takes as much of the disk
 * of temporary files as the artifact has.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeCompressors, writeArtifact } from '@tandem/artifact';
import { runServerCommand } from '../packages/server/src/testing/server-process.ts';
import { environmentOf, startSwift } from '../packages/server/src/testing/start-swift.ts';
import { machine } from './artifact-measure.ts';
import { startTandem } from './server-process.ts';
import { writeResult } from './write-result.ts';

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '10' },
    storage: { type: 'string', default: 'files' },
    keep: { type: 'boolean', default: false },
  },
});
const artifacts = '/api/management/v1/deployments/artifacts';
const user = { email: 'bench@example.com', password: 'correct horse battery' };
/** What the archive adds to its payload, generously. */
const overheadBytes = 1_000_000;
const payloadBytes = Math.floor(Number(values.gib) * 1024 ** 3) - overheadBytes;

const directory = await mkdtemp(join(tmpdir(), 'tandem-large-'));
const data = join(directory, 'data');
const swift = values.storage === 'bucket' ? await startSwift() : undefined;
if (swift !== undefined) Object.assign(process.env, environmentOf(swift));
await runServerCommand(
  ['user', 'create', '--data-dir', data, '--email', user.email, '--password-stdin'],
  user.password,
);
const server = await startTandem(data, swift === undefined ? [] : ['--storage', swift.storage]);
try {
  const token = await logIn();
  const idleMiB = server.residentMiB();
  const sent = { bytes: 0, hash: createHash('sha256') };
  const started = performance.now();
  const id = await upload(token, sent);
  const uploadSeconds = (performance.now() - started) / 1000;
  const cpuSeconds = server.cpuSeconds();
  const peakMiB = server.peakMiB();

  const link = await fetch(new URL(`${artifacts}/${id}/download`, server.url), {
    headers: { authorization: `Bearer ${token}` },
  });
  const { uri } = (await link.json()) as { uri: string };
  const downloadStarted = performance.now();
  const received = createHash('sha256');
  for await (const chunk of (await fetch(uri)).body ?? []) received.update(chunk);
  const downloadSeconds = (performance.now() - downloadStarted) / 1000;
  const isSame = received.digest('hex') === sent.hash.digest('hex');
  const mibs = (seconds: number) => (sent.bytes / 1024 ** 2 / seconds).toFixed(0);
  writeResult(`large-upload-${values.storage}`, values.keep, [
    `${(sent.bytes / 1024 ** 3).toFixed(2)} GiB of unknown size into ${swift === undefined ? 'a directory' : 'a bucket (Swift on the same machine)'}; ${machine()}.`,
    '',
    '| | s | MiB/s |',
    '|---|---|---|',
    `| upload, checked on the way | ${uploadSeconds.toFixed(1)} | ${mibs(uploadSeconds)} |`,
    `| download by link, ${isSame ? 'the same bytes' : 'OTHER BYTES'} | ${downloadSeconds.toFixed(1)} | ${mibs(downloadSeconds)} |`,
    '',
    `Server: ${cpuSeconds.toFixed(1)} s of processor for the upload; resident ${idleMiB.toFixed(0)} MiB before, ${peakMiB.toFixed(0)} MiB at the most.`,
  ]);
  if (!isSame) process.exitCode = 1;
} finally {
  await server.stop();
  await swift?.stop();
  await rm(directory, { recursive: true, force: true });
}

async function logIn(): Promise<string> {
  const basic = Buffer.from(`${user.email}:${user.password}`).toString('base64');
  const answer = await fetch(new URL('/api/management/v1/useradm/auth/login', server.url), {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
  });
  return answer.text();
}

/** Returns the id. */
async function upload(token: string, sent: { bytes: number; readonly hash: ReturnType<typeof createHash> }) {
  const form = request(new URL(artifacts, server.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'multipart/form-data; boundary=b' },
  });
  const answered = once(form, 'response') as Promise<[IncomingMessage]>;
  form.write('--b\r\nContent-Disposition: form-data; name="artifact"; filename="a"\r\n\r\n');
  for await (const chunk of largeArtifact()) {
    sent.bytes += chunk.length;
    sent.hash.update(chunk);
    if (!form.write(chunk)) await once(form, 'drain');
  }
  form.end('\r\n--b--\r\n');
  const [{ statusCode, headers }] = await answered;
  if (statusCode !== 201) throw new Error(`the upload was answered with ${statusCode}`);
  return headers.location?.split('/').at(-1) ?? '';
}

function largeArtifact(): AsyncIterable<Uint8Array> {
  const zeros = Buffer.alloc(1024 ** 2);
  const file = {
    name: 'rootfs.ext4',
    sizeBytes: payloadBytes,
    open: async function* () {
      for (let left = payloadBytes; left > 0; left -= zeros.length) {
        yield zeros.subarray(0, Math.min(left, zeros.length));
      }
    },
  };
  return writeArtifact(
    {
      artifactName: 'large',
      depends: { deviceTypes: ['bench'] },
      payload: { type: 'rootfs-image', files: [file] },
    },
    { compression: 'none', compressors: nodeCompressors, modifiedAt: 1_700_000_000 },
  );
}
