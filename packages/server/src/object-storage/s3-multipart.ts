import { ObjectStorageError } from './object-storage.ts';
import type { S3Requests } from './s3-requests.ts';
import { elements, escaped, textOf } from './s3-xml.ts';

/** 10 GiB in 640 parts: some storages take 1000 at most (Swift does, by default), and none a part under 5 MiB but the last. */
export const partBytes = 16 * 1024 ** 2;

/**
 * Stores what `source` yields, holding three parts in memory at most: one is filled while another is on its way. What fits into
 * one part is sent as a whole. The object comes into being with the last request, which is made only once `source` has ended
 * well; if anything goes wrong before, what was sent is given up.
 */
export async function storeInParts(
  requests: S3Requests,
  name: string,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const parts = inParts(source);
  const first = await parts.next();
  const second = await parts.next();
  if (second.done === true) {
    await requests.text({ method: 'PUT', name, body: first.value ?? new Uint8Array(), signal });
    return;
  }
  const uploadId = await beginUpload(requests, name, signal);
  const tags: string[] = [];
  const send = async (part: Uint8Array, number: number) => {
    tags.push(await sendPart(requests, { name, uploadId, number, part, signal }));
  };
  let sending = send(first.value ?? new Uint8Array(), 1);
  try {
    let part: IteratorResult<Uint8Array, void> = second;
    for (let number = 2; part.done !== true; number += 1) {
      const [next] = await Promise.all([parts.next(), sending]);
      sending = send(part.value, number);
      part = next;
    }
    await sending;
    await completeUpload(requests, { name, uploadId, tags, signal });
  } catch (error) {
    // A part that came in after the end of its upload would stay.
    await Promise.allSettled([sending]);
    // Whatever is left then, `removeUnfinished` finds another day.
    await abortUpload(requests, name, uploadId).catch(() => undefined);
    void parts.return();
    throw error;
  }
}

/**
 * Each but the last is `partBytes` long; the last, which may be the first, is yielded once `source` has ended. The memory of a part
 * is that of the third after it: by then it must have been sent.
 */
async function* inParts(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const buffers: Buffer[] = [];
  let number = 0;
  let filled = 0;
  let part: Buffer = (buffers[0] = Buffer.allocUnsafeSlow(partBytes));
  for await (const chunk of source) {
    for (let offset = 0; offset < chunk.length;) {
      if (filled === partBytes) {
        yield part;
        number += 1;
        part = buffers[number % 3] ??= Buffer.allocUnsafeSlow(partBytes);
        filled = 0;
      }
      const taken = chunk.subarray(offset, offset + partBytes - filled);
      part.set(taken, filled);
      filled += taken.length;
      offset += taken.length;
    }
  }
  yield part.subarray(0, filled);
}

interface Upload {
  readonly name: string;
  readonly uploadId: string;
  readonly signal: AbortSignal | undefined;
}

async function beginUpload(
  requests: S3Requests,
  name: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const answer = await requests.text({ method: 'POST', name, query: { uploads: '' }, signal });
  const uploadId = textOf(answer, 'UploadId');
  if (uploadId === undefined)
    throw new ObjectStorageError('unreachable', `storing ${name}: no upload was begun`);
  return uploadId;
}

async function sendPart(
  requests: S3Requests,
  { name, uploadId, number, part, signal }: Upload & { number: number; part: Uint8Array },
): Promise<string> {
  const query = { partNumber: String(number), uploadId };
  const headers = await requests.headers({ method: 'PUT', name, query, body: part, signal });
  const tag = headers?.get('etag');
  if (typeof tag !== 'string')
    throw new ObjectStorageError('unreachable', `storing ${name}: part ${number} got no tag`);
  return tag;
}

async function completeUpload(
  requests: S3Requests,
  { name, uploadId, tags, signal }: Upload & { tags: readonly string[] },
): Promise<void> {
  const parts = tags.map(
    (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escaped(tag)}</ETag></Part>`,
  );
  const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
  try {
    await requests.text({ method: 'POST', name, query: { uploadId }, body, signal });
  } catch (error) {
    // Asked again because the answer was lost: then there is no such upload any more, but the object is there.
    if (!(error instanceof ObjectStorageError && error.code === 'unreadable')) throw error;
    if ((await requests.headers({ method: 'HEAD', name, signal })) === undefined) throw error;
  }
}

/** Also succeeds when there is none. */
export async function abortUpload(requests: S3Requests, name: string, uploadId: string): Promise<void> {
  await requests.headers({ method: 'DELETE', name, query: { uploadId } });
}

/** Uploads that were begun, and neither completed nor aborted. */
export async function* unfinishedUploads(
  requests: S3Requests,
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<{ readonly name: string; readonly uploadId: string; readonly begun: string | undefined }> {
  let position: Record<string, string> = {};
  for (;;) {
    const query = { uploads: '', prefix, ...position };
    const page = await requests.text({ method: 'GET', query, signal });
    for (const entry of elements(page, 'Upload')) {
      const [name, uploadId] = [textOf(entry, 'Key'), textOf(entry, 'UploadId')];
      if (name !== undefined && uploadId !== undefined) {
        yield { name, uploadId, begun: textOf(entry, 'Initiated') };
      }
    }
    const [key, upload] = [textOf(page, 'NextKeyMarker'), textOf(page, 'NextUploadIdMarker')];
    if (textOf(page, 'IsTruncated') !== 'true' || !key || !upload) return;
    position = { 'key-marker': key, 'upload-id-marker': upload };
  }
}
