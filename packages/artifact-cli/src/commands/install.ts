import { stat } from 'node:fs/promises';
import { basename, posix } from 'node:path';
import type { CommandLine } from '../command-line.ts';
import { CommandError } from '../exit-status.ts';
import { parseImagePath, withImage } from '../image/edit-image.ts';
import type { World } from '../world.ts';

/** `install -m MODE FILE IMAGE:/PATH` or `install -d IMAGE:/DIRECTORY`. */
export async function installCommand(line: CommandLine, world: World): Promise<void> {
  if (line.has('directory')) return makeDirectory(line, world);
  const [source, destination, ...more] = line.operands;
  const at = parseImagePath(destination ?? '');
  if (source === undefined || at === undefined || more.length > 0) {
    throw new CommandError('failed', 'No artifact or sdimg provided: install -m MODE FILE IMAGE:/PATH');
  }
  const modeText = line.text('mode');
  if (modeText === undefined) {
    throw new CommandError('failed', 'File permissions needs to be set with -m; to simply copy, use cp');
  }
  if (!/^[0-7]{3,4}$/.test(modeText))
    throw new CommandError('failed', `-m ${modeText}: not permissions such as 644 or 0755`);
  const isFile = await stat(source).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) throw new CommandError('cannotOpenInput', `${source} is no file that can be read`);
  const path = at.path.endsWith('/') ? posix.join(at.path, basename(source)) : at.path;
  await withImage({ ...at, path }, true, line, world, async (targets) => {
    for (const target of targets)
      await target.fileSystem.write(source, target.path, Number.parseInt(modeText, 8));
  });
}

async function makeDirectory(line: CommandLine, world: World): Promise<void> {
  const at = parseImagePath(line.operands[0] ?? '');
  if (at === undefined || line.operands.length !== 1) {
    throw new CommandError('failed', 'No artifact or sdimg provided: install -d IMAGE:/DIRECTORY');
  }
  await withImage(at, true, line, world, async (targets) => {
    for (const { fileSystem, path } of targets)
      await fileSystem.makeDirectory(path.replace(/(?<=.)\/+$/, ''));
  });
}
