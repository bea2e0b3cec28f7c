import type { Readable } from 'node:stream';
import { ClientError } from '../client-error.ts';
import { showArtifact, showProvides } from '../standalone/show-artifact.ts';
import { runStandalone, type StandaloneCommand } from '../standalone/run-standalone.ts';
import { authDaemon, bootstrap } from './authentication-commands.ts';
import { deploymentNeeds, downloadPatience, httpOf, type ClientGround } from './client-parts.ts';
import type { CommandName, OptionName, ProgramName } from './command-line.ts';
import { openUrl } from './open-url.ts';
import { type ParsedArguments } from './parse-arguments.ts';
import { runDaemon } from './run-daemon.ts';
import { runFlash } from './run-flash.ts';
import { runSetup } from './run-setup.ts';
import { runSnapshot, type StandardOutput } from './run-snapshot.ts';
import { signalDaemon } from './signal-daemon.ts';
import type { Terminal } from './terminal.ts';

/** What a command has besides the client itself. */
export interface CommandSurroundings {
  /** Whose command line it was. */
  readonly program: ProgramName;
  /** To stdout, one line. */
  readonly print: (line: string) => void;
  /** To stderr, as it is. */
  readonly printProgress: (text: string) => void;
  readonly onSignal: (signal: NodeJS.Signals, listener: () => void) => void;
  readonly hostName: string;
  readonly standardInput: () => Readable;
  readonly standardOutput: () => StandardOutput;
  /** Whoever sits before the device; undefined where nobody does. */
  readonly openTerminal: () => Terminal | undefined;
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  readonly signal: AbortSignal;
}

type Command = (
  ground: ClientGround,
  parsed: ParsedArguments,
  surroundings: CommandSurroundings,
) => Promise<number>;

/** What each command does; the number is its exit code (client contract 2.4). */
export const commands = {
  install: (ground, parsed, surroundings) => {
    const [artifact, ...more] = parsed.arguments;
    if (artifact === undefined) throw new ClientError('commandLine', 'Need a path to an artifact');
    if (more[0] !== undefined) throw new ClientError('commandLine', `Too many arguments: ${more[0]}`);
    return standalone(
      { name: 'install', artifact, ...stops(parsed), ...rebootCode(parsed) },
      ground,
      surroundings,
    );
  },
  resume: withoutArguments((ground, parsed, surroundings) =>
    standalone({ name: 'resume', ...stops(parsed), ...rebootCode(parsed) }, ground, surroundings),
  ),
  commit: withoutArguments((ground, parsed, surroundings) =>
    standalone({ name: 'commit', ...stops(parsed) }, ground, surroundings),
  ),
  rollback: withoutArguments((ground, parsed, surroundings) =>
    standalone({ name: 'rollback', ...stops(parsed) }, ground, surroundings),
  ),

  'show-artifact': withoutArguments(async (ground, _parsed, { print, signal }) => {
    print(await showArtifact(await deploymentNeeds(ground), signal));
    return 0;
  }),
  'show-provides': withoutArguments(async (ground, _parsed, { print, signal }) => {
    for (const line of await showProvides(await deploymentNeeds(ground), signal)) print(line);
    return 0;
  }),

  daemon: withoutArguments((ground, parsed, surroundings) =>
    surroundings.program === 'mender-auth'
      ? authDaemon(ground, parsed, surroundings.signal)
      : runDaemon(ground, parsed, surroundings),
  ),
  'check-update': withoutArguments(async ({ system }, _parsed, { kill, signal }) => {
    await signalDaemon(system.processes, kill, 'SIGUSR1', signal);
    return 0;
  }),
  'send-inventory': withoutArguments(async ({ system }, _parsed, { kill, signal }) => {
    await signalDaemon(system.processes, kill, 'SIGUSR2', signal);
    return 0;
  }),

  bootstrap: withoutArguments((ground, parsed, { signal }) => bootstrap(ground, parsed, signal)),
  flash: withoutArguments(runFlash),
  setup: withoutArguments((ground, parsed, surroundings) =>
    runSetup(parsed, { ground, ...surroundings, send: () => httpOf(ground) }),
  ),
  snapshot: (ground, parsed, surroundings) => runSnapshot(ground, parsed, surroundings),
} as const satisfies Readonly<Record<CommandName, Command>>;

async function standalone(
  command: StandaloneCommand,
  ground: ClientGround,
  { print, printProgress, standardInput, signal }: CommandSurroundings,
): Promise<number> {
  const { clock, log } = ground.system;
  const openByUrl = async (url: string, urlSignal: AbortSignal) =>
    await openUrl(url, { send: await httpOf(ground), clock, log, ...downloadPatience(ground) }, urlSignal);
  const needs = {
    ...(await deploymentNeeds(ground)),
    print,
    printProgress,
    openUrl: openByUrl,
    standardInput,
  };
  return await runStandalone(command, needs, signal);
}

function withoutArguments(command: Command): Command {
  return async (ground, parsed, surroundings) => {
    const [unexpected] = parsed.arguments;
    if (unexpected !== undefined) throw new ClientError('commandLine', `Unexpected argument '${unexpected}'`);
    return await command(ground, parsed, surroundings);
  };
}

function stops(parsed: ParsedArguments): { stopBefore: readonly string[] } {
  return { stopBefore: valuesOf(parsed, 'stop-before') };
}

function rebootCode(parsed: ParsedArguments): { rebootExitCode: boolean } {
  return { rebootExitCode: parsed.options.has('reboot-exit-code') };
}

function valuesOf(parsed: ParsedArguments, name: OptionName): readonly string[] {
  return parsed.options.get(name) ?? [];
}
