import { ArtifactError, extensionOf, readArtifact, type CompressionName } from '@tandem/artifact';
import { ClientError } from '../client-error.ts';
import type { DeploymentRun } from './deployment-run.ts';

/** What an artifact may be compressed with, and the package that brings what this client then needs. */
export const packageOfCompression = {
  gzip: 'nodejs',
  lzma: 'xz-utils',
  zstd: 'zstd',
} as const satisfies Record<Exclude<CompressionName, 'none'>, string>;

/**
 * Throws `decompressorMissing` when this device cannot decompress the artifact of the deployment, as far as its header tells. Where
 * every decompressor is there nothing is fetched; where one is missing, the artifact's header is.
 */
export async function requireDecompressor(run: DeploymentRun, signal: AbortSignal): Promise<void> {
  const { decompressors, verificationKeys } = run.needs;
  const missing = namesOf(packageOfCompression).filter((name) => decompressors[name] === undefined);
  if (missing.length === 0) return;
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);
  try {
    const source = run.openArtifact(stop, {});
    const artifact = await readArtifact(source, { decompressors, verificationKeys, signal: stop });
    await artifact.close();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ArtifactError && error.code === 'noDecompressor') throw decompressorMissing(error);
    // Whatever else is wrong with it shows in the download, and is told there.
  } finally {
    ended.abort(new Error('the header has been read'));
  }
}

/** The same fault, also where it is found later: of an artifact whose payload is compressed in another way than its header. */
export function decompressorMissing(error: ArtifactError): ClientError {
  const name = namesOf(packageOfCompression).find((of) => error.member?.endsWith(extensionOf[of]));
  const what = error.member ?? 'it';
  return new ClientError(
    'decompressorMissing',
    `Cannot install the artifact: this device has nothing to decompress ${what} with. ` +
      `Install the package ${name === undefined ? 'that can' : packageOfCompression[name]}, or write the artifact with another compression.`,
    { cause: error },
  );
}

const namesOf = (table: typeof packageOfCompression) => Object.keys(table) as (keyof typeof table)[];
