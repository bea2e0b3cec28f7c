import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeRuntime } from './node-runtime.ts';
import { runProgram } from './run-program.ts';

export interface SingleExecutable {
  /** The program in one file, an ES module that imports nothing but Node's own. */
  readonly main: string;
  /** The Node it is put into, which may be one for another architecture. */
  readonly node: NodeRuntime;
  /** Written. */
  readonly path: string;
}

/**
 * Node and a program in one file: nothing else need be on the device. Links to it are told apart by their names. Same input,
 * same bytes. `builder` is a Node 26 that runs here.
 */
export async function buildSingleExecutable(
  { main, node, path }: SingleExecutable,
  builder: string,
): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'single-executable-'));
  try {
    const configuration = join(work, 'sea.json');
    await writeFile(
      configuration,
      JSON.stringify({
        main,
        mainFormat: 'module',
        output: path,
        executable: node.program,
        disableExperimentalSEAWarning: true,
        // Both are made for the very processor that builds.
        useCodeCache: false,
        useSnapshot: false,
      }),
    );
    await runProgram(builder, ['--build-sea', configuration]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
