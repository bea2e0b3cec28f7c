import { dirname, posix } from 'node:path';
import { CommandError } from '../exit-status.ts';
import { assertPlainPath, type ImageFileSystem, type ImagePlace } from './file-system.ts';
import { runProgram } from './run-program.ts';

/** ext2, ext3 and ext4 by e2fsprogs' debugfs, which needs neither root nor a loop device. */
export function extFileSystem(place: ImagePlace): ImageFileSystem {
  const device = place.offsetBytes === 0 ? place.file : `${place.file}?offset=${place.offsetBytes}`;

  /** Runs one request; whatever debugfs complains of is thrown, since its exit status says nothing. */
  const request = async (words: readonly string[], writes: boolean): Promise<string> => {
    const line = words.map((word) => `"${word}"`).join(' ');
    const args = [...(writes ? ['-w'] : []), '-R', line, device];
    const { stdout, stderr } = await runProgram('debugfs', args, {
      package: 'e2fsprogs',
      signal: place.signal,
    });
    const complaints = stderr
      .split('\n')
      .filter(
        (text) => text.trim() !== '' && !/^debugfs \d/.test(text) && !text.startsWith('Allocated inode'),
      );
    if (complaints.length > 0)
      throw new CommandError('failed', `debugfs: ${words.join(' ')}: ${complaints.join(' ')}`);
    return stdout.toString();
  };

  const typeOf = async (path: string): Promise<string | undefined> => {
    assertPlainPath(path);
    try {
      return /Type: (\w+)/.exec(await request(['stat', path], false))?.[1];
    } catch (error) {
      if (error instanceof CommandError && /not found/i.test(error.message)) return undefined;
      throw error;
    }
  };

  const remove = async (path: string, isRecursive: boolean): Promise<void> => {
    const type = await typeOf(path);
    if (type === undefined) throw new CommandError('failed', `${path} is not in the image`);
    if (type !== 'directory') return void (await request(['rm', path], true));
    if (!isRecursive) throw new CommandError('failed', `${path} is a directory; remove it with -r`);
    // One line per entry: /inode/mode/owner/group/name/size/
    for (const line of (await request(['ls', '-p', path], false)).split('\n')) {
      const name = line.split('/')[5];
      if (name !== undefined && name !== '' && name !== '.' && name !== '..')
        await remove(posix.join(path, name), true);
    }
    await request(['rmdir', path], true);
  };

  return {
    kind: 'ext',
    exists: async (path) => (await typeOf(path)) !== undefined,
    read: async (path, hostPath) => {
      const type = await typeOf(path);
      if (type === undefined) throw new CommandError('failed', `${path} is not in the image`);
      if (type !== 'regular') throw new CommandError('failed', `${path} is no regular file but a ${type}`);
      await request(['dump', path, hostPath], false);
    },
    write: async (hostPath, path, mode) => {
      const parent = dirname(path);
      if ((await typeOf(parent)) !== 'directory')
        throw new CommandError('failed', `${parent} is no directory of the image`);
      const old = await typeOf(path);
      if (old === 'directory') throw new CommandError('failed', `${path} is a directory of the image`);
      const keptMode = old === undefined ? undefined : await modeOf(path);
      if (old !== undefined) await request(['rm', path], true);
      await request(['write', hostPath, path], true);
      const permissions = mode ?? keptMode;
      if (permissions !== undefined)
        await request(['sif', path, 'mode', `0${(0o100000 | permissions).toString(8)}`], true);
      for (const owner of ['uid', 'gid']) await request(['sif', path, owner, '0'], true);
    },
    makeDirectory: async (path) => {
      const old = await typeOf(path);
      if (old === 'directory') return;
      if (old !== undefined) throw new CommandError('failed', `${path} is in the image and no directory`);
      await request(['mkdir', path], true);
    },
    remove,
  };

  async function modeOf(path: string): Promise<number> {
    return (
      Number.parseInt(/Mode: +0?([0-7]+)/.exec(await request(['stat', path], false))?.[1] ?? '644', 8) &
      0o7777
    );
  }
}
