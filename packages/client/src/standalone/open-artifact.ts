import { open } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { ClientError, wordsOf } from '../client-error.ts';

/** An artifact's bytes, and how many there are when that is known. */
export interface ArtifactSource {
  readonly content: AsyncIterable<Uint8Array>;
  readonly sizeBytes?: number | undefined;
}

/** Where artifacts come from besides files. */
export interface ArtifactSources {
  readonly openUrl: (url: string, signal: AbortSignal) => Promise<ArtifactSource>;
  readonly standardInput: () => Readable;
}

/**
 * From an http(s) address, from the standard input (`-` or `/dev/stdin`), or from a file. Throws `artifactUnreadable` before anything
 * has been changed.
 */
export async function openArtifact(
  location: string,
  { openUrl, standardInput }: ArtifactSources,
  signal: AbortSignal,
): Promise<ArtifactSource> {
  try {
    // Opened by its path, a pipe that stands still would hold a thread of the process, and with it the end of the process.
    if (location === '-' || location === '/dev/stdin')
      return { content: addAbortSignal(signal, standardInput()) };
    if (/^https?:\/\//i.test(location)) return await openUrl(location, signal);
    const file = await open(location, 'r');
    const { size } = await file.stat();
    return { content: file.createReadStream({ highWaterMark: 1024 * 1024, signal }), sizeBytes: size };
  } catch (cause) {
    signal.throwIfAborted();
    throw new ClientError(
      'artifactUnreadable',
      `Could not open the artifact ${withoutQuery(location)}: ${wordsOf(cause)}`,
      {
        cause,
      },
    );
  }
}

/** Tells of each whole percent, as far as the size is known. */
export async function* withPercent(
  { content, sizeBytes }: ArtifactSource,
  tell: (percent: number) => void,
): AsyncIterable<Uint8Array> {
  let readBytes = 0;
  let told = -1;
  for await (const bytes of content) {
    yield bytes;
    readBytes += bytes.byteLength;
    const percent = sizeBytes ? Math.min(100, Math.floor((readBytes * 100) / sizeBytes)) : told;
    if (percent > told) tell(percent);
    told = percent;
  }
}

/** The query of a download link may hold a secret. */
const withoutQuery = (location: string): string => location.replace(/\?.*$/s, '?…');
