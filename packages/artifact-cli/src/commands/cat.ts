import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTo } from '../write-to.ts';
import type { CommandLine } from '../command-line.ts';
import { CommandError } from '../exit-status.ts';
import { parseImagePath, withImage } from '../image/edit-image.ts';
import type { World } from '../world.ts';

/** `cat`: a file of an image to stdout. */
export async function catCommand(line: CommandLine, world: World): Promise<void> {
  const at = parseImagePath(line.operands[0] ?? '');
  if (at === undefined || line.operands.length !== 1) {
    throw new CommandError(
      'failed',
      'The input image does not seem to be a valid image; name it as IMAGE:/PATH',
    );
  }
  const directory = await mkdtemp(join(tmpdir(), 'mender-artifact-'));
  try {
    const hostPath = join(directory, 'content');
    await withImage(at, false, line, world, ([{ fileSystem, path }]) => fileSystem.read(path, hostPath));
    await writeTo(world.stdout, createReadStream(hostPath), world.signal);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
