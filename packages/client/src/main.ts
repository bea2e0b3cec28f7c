import { appendFileSync, fstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { ClientError, codeOf } from './client-error.ts';
import type { ClientGround } from './cli/client-parts.ts';
import { programs, type ProgramName } from './cli/command-line.ts';
import { helpText } from './cli/help-text.ts';
import { parseArguments, type ParsedArguments } from './cli/parse-arguments.ts';
import { commands } from './cli/run-command.ts';
import { fromSingleDash } from './cli/single-dash.ts';
import { openTerminal } from './cli/terminal.ts';
import { installationPaths } from './configuration/installation-paths.ts';
import { loadConfiguration } from './configuration/load-configuration.ts';
import { linuxSystem, systemClock } from './system/linux-system.ts';
import { logLines } from './system/log-lines.ts';
import { logLevels, type Log, type LogLevel } from './system/system.ts';
import { version } from './version.ts';

/** Runs the command line of the running process, the one place where the real system is built. Gives the exit code. */
export async function main(programName: ProgramName, running: NodeJS.Process): Promise<number> {
  const stderr = (text: string) => {
    running.stderr.write(text);
  };
  try {
    return await run(programName, running);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    stderr(`${failurePrefix(programName, error)}${reason}\n`);
    // Node would wait at its end for the call that does not come back. Ended so, the service manager starts another process.
    if (codeOf(error) === 'storageHangs') running.kill(running.pid, 'SIGKILL');
    return isMistyped(error) ? (error.exitCode ?? 1) : 1;
  }
}

/** What scripts that read stderr look for (client contract 2.1, 2.6 and 3.1). */
function failurePrefix(programName: ProgramName, error: unknown): string {
  if (isMistyped(error) && programs[programName].generation === 3) return '';
  return isMistyped(error) && programName === 'mender-auth'
    ? 'Failed to process command line options: '
    : 'Could not fulfill request: ';
}

const isMistyped = (error: unknown): error is ClientError =>
  error instanceof ClientError && error.code === 'commandLine';

async function run(programName: ProgramName, running: NodeJS.Process): Promise<number> {
  const program = programs[programName];
  const print = (line: string) => {
    running.stdout.write(`${line}\n`);
  };
  const words = running.argv.slice(2);
  const parsed = parseArguments(program, program.generation === 3 ? fromSingleDash(words) : words);

  if (parsed.options.has('version')) {
    if (words.length > 1) {
      throw new ClientError('commandLine', '--version can not be combined with other commands and arguments');
    }
    print(program.generation === 3 ? `${version}\truntime: node${running.versions.node}` : version);
    return 0;
  }
  if (parsed.options.has('help') || parsed.command === undefined) {
    running.stdout.write(helpText(programName, version, parsed.command));
    if (parsed.options.has('help') || program.generation === 3) return 0;
    throw new ClientError('commandLine', 'Need an action');
  }

  const ending = endingSignal(running);
  const ground = await groundOf(parsed, running);
  return await commands[parsed.command](ground, parsed, {
    program: programName,
    print,
    printProgress: (text) => {
      running.stderr.write(text);
    },
    onSignal: (name, listener) => {
      running.on(name, listener);
    },
    hostName: hostname(),
    standardInput: () => running.stdin,
    standardOutput: () => ({
      stream: running.stdout,
      isTerminal: running.stdout.isTTY,
      devices: [running.stdout.fd, running.stderr.fd].map((fd) => fstatSync(fd).dev),
    }),
    openTerminal: () =>
      running.stdin.isTTY && running.stdout.isTTY
        ? openTerminal(running.stdin, running.stdout, ending)
        : undefined,
    kill: (pid, name) => {
      running.kill(pid, name);
    },
    signal: ending,
  });
}

/** Ends what is under way when the process is asked to end. */
function endingSignal(running: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    running.on(name, () => {
      controller.abort(new Error(`Ended by ${name}.`));
    });
  }
  // Before the daemon listens, these must neither end the process nor wake Node's debugger, which SIGUSR1 does by default.
  for (const name of ['SIGUSR1', 'SIGUSR2'] as const) running.on(name, () => undefined);
  return controller.signal;
}

async function groundOf(parsed: ParsedArguments, running: NodeJS.Process): Promise<ClientGround> {
  const option = (name: Parameters<typeof parsed.options.get>[0]) => parsed.options.get(name)?.at(-1);
  const environment = running.env;
  const paths = installationPaths(environment, {
    configurationFile: option('config'),
    fallbackConfigurationFile: option('fallback-config'),
    datastore: option('datastore') ?? option('data'),
  });
  const write = logTarget(option('log-file'), running);
  const logAt = (level: LogLevel): Log => logLines(level, write, () => systemClock.now());
  const asked = logLevelOf(option('log-level'));

  const { files } = linuxSystem({ log: logAt(asked ?? 'info'), environment });
  const warnings: string[] = [];
  const configurationFiles = {
    main: {
      path: paths.configurationFile,
      named: parsed.options.has('config') && parsed.command !== 'setup',
    },
    fallback: { path: paths.fallbackConfigurationFile, named: parsed.options.has('fallback-config') },
  };
  const given = await loadConfiguration(files, configurationFiles, (warning) => warnings.push(warning));
  const configuration = {
    ...given,
    ...(parsed.options.has('skipverify') ? { SkipVerify: true } : {}),
    ServerCertificate: option('trusted-certs') ?? given.ServerCertificate,
  };
  const level = asked ?? (parsed.command === 'daemon' ? configuration.DaemonLogLevel : 'info');
  // Said where it is kept: commands that are typed should answer what was asked.
  if (parsed.command === 'daemon') for (const warning of warnings) logAt(level)('warning', warning);
  return {
    system: linuxSystem({ log: logAt(level), environment }),
    paths,
    configuration,
    environment,
    version,
    passphrase: await passphraseOf(option('passphrase-file')),
  };
}

function logTarget(file: string | undefined, running: NodeJS.Process): (line: string) => void {
  // Written before the next thing happens, so that the last line before a crash is there.
  if (file !== undefined) return (line) => appendFileSync(file, line, { mode: 0o600 });
  return (line) => running.stderr.write(line);
}

function logLevelOf(text: string | undefined): LogLevel | undefined {
  if (text === undefined) return undefined;
  const level = logLevels.find((name) => name === text);
  if (level === undefined)
    throw new ClientError('commandLine', `'${text}' is not a valid log level: ${logLevels.join(', ')}`);
  return level;
}

/** The first line of the file; `-` is the standard input. */
async function passphraseOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8');
  return text.split(/\r?\n/)[0] ?? '';
}
