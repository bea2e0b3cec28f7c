import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { CommandLine } from '../command-line.ts';
import { CommandError } from '../exit-status.ts';
import { parseImagePath, withImage } from '../image/edit-image.ts';
import type { World } from '../world.ts';

/** `cp`: a file out of an image or into it; `-` is stdin as the source. */
export async function cpCommand(line: CommandLine, world: World): Promise<void> {
  const [source, destination, ...more] = line.operands;
  if (source === undefined || destination === undefined || more.length > 0) {
    throw new CommandError('failed', `got ${line.operands.length} arguments, wants two`);
  }
  if (line.has('compression')) world.stderr.write('warning: --compression is ignored by cp\n');
  const from = parseImagePath(source);
  const to = parseImagePath(destination);
  if ((from === undefined) === (to === undefined)) {
    throw new CommandError('failed', 'no artifact or sdimage provided: one of the two must be IMAGE:/PATH');
  }
  if (from !== undefined) {
    const hostPath = await placeIn(destination, from.path);
    return withImage(from, false, line, world, ([{ fileSystem, path }]) => fileSystem.read(path, hostPath));
  }
  if (to === undefined) return;
  const path = to.path.endsWith('/') ? posix.join(to.path, basename(source)) : to.path;
  await withHostFile(source, world, (hostPath) =>
    withImage({ ...to, path }, true, line, world, async (targets) => {
      for (const target of targets) await target.fileSystem.write(hostPath, target.path);
    }),
  );
}

async function placeIn(destination: string, path: string): Promise<string> {
  const isDirectory = await stat(destination).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isDirectory ? join(destination, basename(path)) : destination;
}

/** The programs that write into images take files only. */
async function withHostFile(
  source: string,
  world: World,
  action: (path: string) => Promise<void>,
): Promise<void> {
  if (source !== '-') {
    const isFile = await stat(source).then(
      (found) => found.isFile(),
      () => false,
    );
    if (!isFile) throw new CommandError('cannotOpenInput', `${source} is no file that can be read`);
    return action(source);
  }
  const directory = await mkdtemp(join(tmpdir(), 'mender-artifact-'));
  try {
    const path = join(directory, 'stdin');
    await pipeline(world.stdin, createWriteStream(path), { signal: world.signal });
    await action(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
