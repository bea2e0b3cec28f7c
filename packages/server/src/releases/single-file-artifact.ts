import { moduleImage, writeArtifact, type PayloadFileSource } from '@tandem/artifact';
import type { WantedArtifact } from './generation-form.ts';

/** The file itself, of a size that is known; opened once or twice. */
export interface RawFile {
  readonly sizeBytes: number;
  readonly open: () => AsyncIterable<Uint8Array>;
}

const permissions = '644';

/** An artifact for the update module `single-file`: the file, and three files of one line that say where it goes. */
export function singleFileArtifact(
  { name, deviceTypes, arguments: given }: WantedArtifact,
  file: RawFile,
  options: { /** Seconds since 1970. */ readonly modifiedAt: number; readonly signal: AbortSignal },
): AsyncIterable<Uint8Array> {
  const payload = moduleImage({
    artifactName: name,
    type: 'single-file',
    software: {
      ...(given.software_filesystem ? { filesystem: given.software_filesystem } : {}),
      ...(given.software_name ? { name: given.software_name } : {}),
      ...(given.software_version ? { version: given.software_version } : {}),
    },
    files: [
      line('dest_dir', given.dest_dir),
      line('filename', given.filename),
      line('permissions', permissions),
      { name: given.filename, ...file },
    ],
  });
  // gzip: every device reads it, older ones nothing newer.
  return writeArtifact(
    { artifactName: name, depends: { deviceTypes }, payload },
    { ...options, compression: 'gzip' },
  );
}

function line(name: string, text: string): PayloadFileSource {
  const content = Buffer.from(`${text}\n`);
  return {
    name,
    sizeBytes: content.length,
    open: async function* () {
      yield content;
    },
  };
}
