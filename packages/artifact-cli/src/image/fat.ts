import { CommandError } from '../exit-status.ts';
import { assertPlainPath, type ImageFileSystem, type ImagePlace } from './file-system.ts';
import { runProgram } from './run-program.ts';

/** FAT by mtools, which needs neither root nor a loop device. It knows no permissions. */
export function fatFileSystem(place: ImagePlace): ImageFileSystem {
  const image = ['-i', place.offsetBytes === 0 ? place.file : `${place.file}@@${place.offsetBytes}`];
  const run = (program: string, args: readonly string[]) =>
    runProgram(program, [...image, ...args], { package: 'mtools', signal: place.signal });
  const must = async (program: string, args: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await run(program, args);
    if (exitCode !== 0)
      throw new CommandError(
        'failed',
        `${program} ${args.join(' ')}: ${stderr.trim().replaceAll('\n', ' ')}`,
      );
  };
  const inside = (path: string): string => {
    assertPlainPath(path);
    return `::${path}`;
  };
  const exists = async (path: string) => (await run('mdir', ['-b', inside(path)])).exitCode === 0;
  return {
    kind: 'fat',
    exists,
    read: async (path, hostPath) => {
      if (!(await exists(path))) throw new CommandError('failed', `${path} is not in the image`);
      await must('mcopy', ['-n', '-o', inside(path), hostPath]);
    },
    write: (hostPath, path) => must('mcopy', ['-o', hostPath, inside(path)]),
    makeDirectory: async (path) => {
      if (!(await exists(path))) await must('mmd', [inside(path)]);
    },
    remove: async (path, isRecursive) => {
      if (!(await exists(path))) throw new CommandError('failed', `${path} is not in the image`);
      await must(isRecursive ? 'mdeltree' : 'mdel', [inside(path)]);
    },
  };
}
