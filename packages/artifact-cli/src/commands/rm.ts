import type { CommandLine } from '../command-line.ts';
import { CommandError } from '../exit-status.ts';
import { parseImagePath, withImage } from '../image/edit-image.ts';
import type { World } from '../world.ts';

/** `rm [-r] IMAGE:/PATH` */
export async function rmCommand(line: CommandLine, world: World): Promise<void> {
  const at = parseImagePath(line.operands[0] ?? '');
  if (at === undefined || line.operands.length !== 1) {
    throw new CommandError(
      'failed',
      'The input image does not have a valid extension; name it as IMAGE:/PATH',
    );
  }
  await withImage(at, true, line, world, async (targets) => {
    for (const { fileSystem, path } of targets)
      await fileSystem.remove(path.replace(/(?<=.)\/+$/, ''), line.has('recursive'));
  });
}
