import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stageFiles, type PackageFile } from './package-files.ts';
import { runProgram } from './run-program.ts';

export interface Tarball {
  /** Of the file, and of the one directory in it. */
  readonly name: string;
  /** Paths are those inside of that directory. */
  readonly files: readonly PackageFile[];
}

/** Writes NAME.tar.gz into the directory and returns its path. Same input, same bytes. */
export async function buildTarball(
  { name, files }: Tarball,
  { directory, modified }: { readonly directory: string; readonly modified: number },
): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), 'tarball-'));
  try {
    await stageFiles(join(work, name), files, modified);
    await mkdir(directory, { recursive: true });
    const path = join(directory, `${name}.tar.gz`);
    const owner = ['--owner=0', '--group=0', '--numeric-owner'];
    await runProgram('tar', ['--create', '--gzip', '--file', path, '--sort=name', ...owner, name], {
      directory: work,
    });
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
