import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testNeeds, type BootOptions } from '../deployment/test-device.ts';
import { runStandalone, type StandaloneCommand, type StandaloneExitCode } from './run-standalone.ts';

/*
 * A command typed on a test device, for tests: `install`, `commit --stop-before Cleanup` and so on. As a program of its own, so that the
 * power can be cut in its midst: test-command.ts DIRECTORY RECORD COMMAND
 * It kills itself as soon as a record of that name is on disk.
 */

interface Typing extends BootOptions {
  /** Default: the artifact of the test device. */
  readonly artifact?: string | undefined;
  readonly print: (line: string) => void;
  readonly printProgress: (text: string) => void;
}

export async function runTyped(
  directory: string,
  typed: string,
  typing: Typing,
): Promise<StandaloneExitCode> {
  const [name = '', ...options] = typed.split(' ');
  const ofDevice = join(directory, 'server', 'artifact.mender');
  const command = {
    name,
    artifact: typing.artifact ?? ofDevice,
    stopBefore: options.filter((_, index) => options[index - 1] === '--stop-before'),
    rebootExitCode: options.includes('--reboot-exit-code'),
  } as StandaloneCommand;
  const never = async (): Promise<never> => {
    throw new Error('A command does not reboot.');
  };
  const needs = {
    ...testNeeds(directory, never, typing),
    print: typing.print,
    printProgress: typing.printProgress,
    standardInput: () => {
      throw new Error('Nothing is read from the standard input.');
    },
    openUrl: async (url: string) => {
      if (!url.startsWith('http://server/')) throw new Error('the server answered 403');
      const bytes = await readFile(ofDevice);
      const content = (async function* () {
        yield bytes;
      })();
      return { content, sizeBytes: bytes.byteLength };
    },
  };
  return await runStandalone(command, needs, new AbortController().signal);
}

if (import.meta.main) {
  const [, , directory, record, typed] = process.argv;
  if (directory === undefined || record === undefined || typed === undefined)
    throw new Error('Which directory is the device, when is the power cut, and what is typed?');
  process.exit(
    await runTyped(directory, typed, {
      print: (line) => process.stdout.write(`${line}\n`),
      printProgress: () => undefined,
      powerCutAfterSaving: record,
      powerCut: () => process.kill(process.pid, 'SIGKILL'),
    }),
  );
}
