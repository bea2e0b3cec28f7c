import { writeArtifactFile, type ArtifactDescription, type OpenedArtifact } from '@tandem/artifact';
import type { CommandLine } from './command-line.ts';
import type { World } from './world.ts';
import { writeOptionsFrom } from './write-output.ts';

/**
 * Writes a changed artifact over the file it came from. Its compression stays unless `--compression` says otherwise; a signature is lost, as it
 * holds no longer, unless a key is given.
 */
export async function rewriteArtifact(
  description: ArtifactDescription,
  path: string,
  opened: OpenedArtifact,
  line: CommandLine,
  world: World,
): Promise<void> {
  const options = await writeOptionsFrom(line, world, opened.artifact.compression);
  if (opened.artifact.signature !== 'unsigned' && options.signer === undefined) {
    world.stderr.write(
      'warning: the artifact was signed; changed it is not, sign it again with the sign command or give -k\n',
    );
  }
  const { packed, ...payload } = description.payload;
  const isRecompressed = packed !== undefined && packed.compression !== options.compression;
  const changed = isRecompressed
    ? { ...description, payload: { ...payload, files: opened.files } }
    : description;
  await writeArtifactFile(changed, path, options);
}
