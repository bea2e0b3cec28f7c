import { signArtifactFile } from '@tandem/artifact';
import { artifactPath } from '../artifact-input.ts';
import type { CommandLine } from '../command-line.ts';
import { decompressors } from '../compressions.ts';
import { CommandError } from '../exit-status.ts';
import { signerFrom } from '../keys.ts';
import type { World } from '../world.ts';

/** `sign`: puts a signature into an artifact, all else unchanged. */
export async function signCommand(line: CommandLine, world: World): Promise<void> {
  const path = artifactPath(line);
  const signer = await signerFrom(line, world);
  if (signer === undefined) {
    throw new CommandError(
      'failed',
      'Missing signing key; please provide a signing key parameter (-k or --sign-command)',
    );
  }
  const options = { signer, decompressors, force: line.has('force'), signal: world.signal };
  await signArtifactFile(path, line.text('output-path') ?? path, options);
}
