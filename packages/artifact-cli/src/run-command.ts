import { ArtifactError } from '@tandem/artifact';
import { parseCommandLine } from './command-line.ts';
import { commands, flagsOf } from './commands.ts';
import { CommandError, exitStatus } from './exit-status.ts';
import { commandHelp, programHelp } from './help.ts';
import { completions, completionScript, manualPage } from './manual.ts';
import { softwareVersion } from './software-version.ts';
import type { World } from './world.ts';

/** Runs what the arguments ask for and answers the exit status; faults are told on stderr, one line each, never as a stack. */
export async function runCommand(args: readonly string[], world: World): Promise<number> {
  const say = (text: string) => world.stdout.write(`${text}\n`);
  const { globals, rest } = splitGlobals(args);
  const [first] = rest;
  if (first === undefined || first === '--help' || first === '-h') {
    say(programHelp(world.programName));
    return exitStatus.ok;
  }
  if (first === '--version' || first === '-v') {
    say(`${world.programName} version ${softwareVersion}`);
    return exitStatus.ok;
  }
  if (args.at(-1) === '--generate-bash-completion') {
    say(completions(args.slice(0, -1)).join('\n'));
    return exitStatus.ok;
  }
  if (first === '--generate-manual' || first === '--generate-completion') {
    world.stdout.write(
      first === '--generate-manual' ? manualPage(world.programName) : completionScript(world.programName),
    );
    return exitStatus.ok;
  }
  if (first === 'help' || first === 'h') return help(rest.slice(1), world);
  const name = commandName(rest);
  if (name === undefined) return help(rest, world);
  const command = commands[name];
  if (command === undefined) throw new Error(`the command ${name} is not in the table`);
  const own = rest.slice(name.split(' ').length);
  if (own.some((argument) => argument === '--help' || argument === '-h')) return help([name], world);
  try {
    await command.run(parseCommandLine([...globals, ...own], flagsOf(command)), world);
    return exitStatus.ok;
  } catch (error) {
    if (world.signal.aborted) {
      world.stderr.write('interrupted\n');
      return exitStatus.failed;
    }
    if (error instanceof CommandError) {
      if (error.showsHelp) say(commandHelp(world.programName, name, command));
      world.stderr.write(`${error.message}\n`);
      return exitStatus[error.reason];
    }
    if (!(error instanceof ArtifactError) && !isSystemFault(error)) throw error;
    world.stderr.write(`${(error as Error).message}\n`);
    return exitStatus.failed;
  }
}

/** `--compression KIND` may stand before the command, where a flag of the command overrules it. */
function splitGlobals(args: readonly string[]): { globals: readonly string[]; rest: readonly string[] } {
  if (/^--?compression=/.test(args[0] ?? '')) return { globals: args.slice(0, 1), rest: args.slice(1) };
  if (/^--?compression$/.test(args[0] ?? '')) return { globals: args.slice(0, 2), rest: args.slice(2) };
  return { globals: [], rest: args };
}

function commandName(args: readonly string[]): string | undefined {
  return Object.keys(commands).find((name) => name.split(' ').every((word, index) => args[index] === word));
}

function help(words: readonly string[], world: World): number {
  const name = words.join(' ');
  const command = commands[name];
  if (command !== undefined) {
    world.stdout.write(`${commandHelp(world.programName, name, command)}\n`);
    return exitStatus.ok;
  }
  const group = words[0] ?? '';
  const isGroup = Object.keys(commands).some((known) => known.startsWith(`${group} `));
  const asksForGroup = words.length <= 1 || words[1] === '--help' || words[1] === '-h';
  if (group === '' || (isGroup && asksForGroup)) {
    world.stdout.write(`${programHelp(world.programName, group)}\n`);
    return exitStatus.ok;
  }
  world.stderr.write(`No help topic for '${isGroup ? (words[1] ?? '') : group}'\n`);
  return exitStatus.helpTopicUnknown;
}

/** A fault of files or network, which names what it was about; anything else is a fault of ours and shows its stack. */
function isSystemFault(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
