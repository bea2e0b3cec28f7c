import { ArtifactError, readArtifact } from '@tandem/artifact';
import { artifactPath, openArtifact } from '../artifact-input.ts';
import type { CommandLine } from '../command-line.ts';
import { decompressors } from '../compressions.ts';
import { CommandError } from '../exit-status.ts';
import { verificationKeysFrom } from '../keys.ts';
import type { World } from '../world.ts';

/** `validate`: reads all of the artifact; a signature without a key to check it is a fault too, as in the reference. */
export async function validateCommand(line: CommandLine, world: World): Promise<void> {
  const path = artifactPath(line);
  const verificationKeys = await verificationKeysFrom(line);
  const source = await openArtifact(path, line, world);
  try {
    const options = { verificationKeys, decompressors, acceptAugmented: true, signal: world.signal };
    const artifact = await readArtifact(source, options);
    for await (const file of artifact.files()) for await (const piece of file.content) void piece;
    if (artifact.signature === 'notVerified') {
      throw new CommandError(
        'invalidArtifact',
        'missing verifier: the artifact is signed; give the public key with -k',
      );
    }
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    const message = error.code === 'signatureMissing' ? `missing signature: ${error.message}` : error.message;
    throw new CommandError('invalidArtifact', `${path}: ${message}`, { cause: error });
  }
  world.stdout.write(`Artifact file '${path}' validated successfully\n`);
}
