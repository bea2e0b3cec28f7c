import { resumableDownload, type DownloadOptions } from '../server-connection/resumable-download.ts';

export interface OpenedUrl {
  readonly content: AsyncIterable<Uint8Array>;
  readonly sizeBytes?: number;
}

/** An artifact at an address, for standalone installation; its size is known once the first bytes are there. */
export async function openUrl(
  url: string,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<OpenedUrl> {
  let sizeBytes: number | undefined;
  const onIdentity = ({ totalBytes }: { readonly totalBytes: number }) => {
    sizeBytes = totalBytes;
  };
  const rest = resumableDownload({ uri: url, onIdentity }, options, signal);
  const first = await rest.next();
  const content = async function* () {
    if (first.done === true) return;
    yield first.value;
    yield* rest;
  };
  return { content: content(), ...(sizeBytes === undefined ? {} : { sizeBytes }) };
}
