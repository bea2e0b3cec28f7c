import type { CommandLine } from '../command-line.ts';
import { CommandError } from '../exit-status.ts';
import type { World } from '../world.ts';
import { keyValues, namingFrom, refuseWhitespace } from '../write-flags.ts';
import { writeOutput } from '../write-output.ts';

/** `write bootstrap-artifact`: an empty payload, which tells a device what it was made with. */
export async function writeBootstrapArtifact(line: CommandLine, world: World): Promise<void> {
  const naming = await namingFrom(line, world);
  refuseWhitespace(naming.artifactName);
  if (naming.formatVersion === 2)
    throw new CommandError('invalidParameters', 'bootstrap artifacts need artifact version 3');
  const payload = {
    type: null,
    provides: keyValues(line.list('provides')),
    depends: keyValues(line.list('depends')),
    clearsProvides: line.list('clears-provides'),
  };
  await writeOutput({ ...naming, payload }, line, world);
}
