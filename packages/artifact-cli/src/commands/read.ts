import { decodeSignature, isSignedByAny, readArtifact, type PayloadFile } from '@tandem/artifact';
import { artifactPath, openArtifact } from '../artifact-input.ts';
import { describeArtifact, type SignatureText } from '../describe-artifact.ts';
import type { CommandLine } from '../command-line.ts';
import { decompressors } from '../compressions.ts';
import { verificationKeysFrom } from '../keys.ts';
import type { World } from '../world.ts';

/** `read`: shows the artifact. A signature that does not hold is said, but is no fault here; `validate` is for that. */
export async function readCommand(line: CommandLine, world: World): Promise<void> {
  const path = artifactPath(line);
  const keys = await verificationKeysFrom(line);
  let signature: SignatureText = 'no signature';
  const onManifest = (manifest: Uint8Array, raw: Uint8Array | undefined) => {
    if (raw === undefined) return;
    if (keys.length === 0)
      signature =
        'signed but no key for verification provided; please use `-k` option for providing verification key';
    else if (isSignedByAny(manifest, decodeSignature(raw), keys)) signature = 'signed and verified correctly';
    else signature = 'signed; verification using provided key failed';
  };
  const source = await openArtifact(path, line, world);
  const artifact = await readArtifact(source, { onManifest, decompressors, signal: world.signal });
  const files: PayloadFile[] = [];
  for await (const file of artifact.files()) files.push(file);
  world.stdout.write(describeArtifact(artifact, signature, files, world.environment['TZ']));
}
