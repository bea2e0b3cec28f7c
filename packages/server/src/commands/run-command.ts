import { resolve } from 'node:path';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Clock } from '../clock.ts';
import { readConfiguration } from '../configuration/read-configuration.ts';
import { settings, settingsHelp, type Setting } from '../configuration/settings.ts';
import type { Log } from '../log.ts';
import { ServerError } from '../server-error.ts';

/** What a command may use of the machine; main.ts alone has the real one. */
export interface World {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly print: (text: string) => void;
  readonly printError: (text: string) => void;
  /** One line of standard input, without its end. */
  readonly readLine: () => Promise<string>;
  /** Resolves when the process is asked to end. */
  readonly stopRequested: () => Promise<void>;
}

interface Command {
  readonly summary: string;
  readonly options: ParseArgsOptionsConfig;
  readonly help: () => string;
  readonly run: (
    values: Readonly<Record<string, string | boolean | undefined>>,
    world: World,
  ) => Promise<void>;
}

const storeOptions = {
  [settings.dataDirectory.option]: { type: 'string' },
  [settings.database.option]: { type: 'string' },
} as const;
const storeHelp = '--data-dir DIR [--database URL]';

const commands: Readonly<Record<string, Command>> = {
  serve: {
    summary: 'Run the server',
    options: Object.fromEntries(
      Object.values<Setting>(settings).map(({ option, type }) => [
        option,
        { type: type === 'flag' ? 'boolean' : 'string' } as const,
      ]),
    ),
    help: settingsHelp,
    run: async (values, world) => {
      const configuration = readConfiguration(values, world.environment);
      // Loaded when it is clear that it is needed: a mistyped option is answered at once.
      const { serve } = await import('./serve.ts');
      const stop = await serve(configuration, world);
      await world.stopRequested();
      world.log('info', 'stopping');
      await stop();
    },
  },
  'user create': {
    summary: 'Make a user; the password is read from standard input',
    options: { ...storeOptions, email: { type: 'string' }, 'password-stdin': { type: 'boolean' } },
    help: () => `  ${storeHelp} --email ADDRESS --password-stdin`,
    run: async (values, { environment, clock, readLine, print }) => {
      const store = storeOf(values, environment);
      const { email, 'password-stdin': fromStdin } = values;
      if (typeof email !== 'string') throw usage('--email is missing: give the address of the user');
      if (fromStdin !== true) {
        throw usage(
          '--password-stdin is missing: a password is read from standard input, never from the command line',
        );
      }
      const { openDatabase } = await import('./data-directory.ts');
      const { createUserCommand } = await import('./create-user.ts');
      const id = await createUserCommand(
        await openDatabase(store, clock),
        { email, password: await readLine() },
        clock,
      );
      print(`user ${id} created`);
    },
  },
  migrate: {
    summary: 'Bring the database up to date; serve does it by itself',
    options: storeOptions,
    help: () => `  ${storeHelp}`,
    run: async (values, { environment, clock, print }) => {
      const { openDatabase } = await import('./data-directory.ts');
      const database = await openDatabase(storeOf(values, environment), clock);
      await database.close();
      print('the database is up to date');
    },
  },
  backup: {
    summary: 'Copy database, keys and artifacts into a directory, also while the server runs',
    options: { ...storeOptions, to: { type: 'string' } },
    help: () => '  --data-dir DIR --to EMPTY-DIR',
    run: async (values, { environment, clock, print }) => {
      const { dataDirectory, database } = storeOf(values, environment);
      if (database !== undefined) {
        throw usage(
          'backup is for SQLite: on PostgreSQL use pg_dump first, then copy keys, tls and artifacts out of the data directory',
        );
      }
      if (typeof values['to'] !== 'string') throw usage('--to is missing: name the directory of the backup');
      const { backup, describeBackup } = await import('./backup.ts');
      const to = resolve(values['to']);
      print(`${to}: ${describeBackup(await backup(dataDirectory, to, clock))}`);
    },
  },
  restore: {
    summary: 'Make a data directory out of a backup',
    options: { ...storeOptions, from: { type: 'string' } },
    help: () => '  --data-dir NEW-DIR --from DIR',
    run: async (values, { environment, print }) => {
      const { dataDirectory } = storeOf(values, environment);
      if (typeof values['from'] !== 'string')
        throw usage('--from is missing: name the directory of the backup');
      const { restore } = await import('./restore.ts');
      const { describeBackup } = await import('./backup.ts');
      print(`${dataDirectory}: ${describeBackup(await restore(resolve(values['from']), dataDirectory))}`);
    },
  },
  doctor: {
    summary: 'Look for what is wrong with the data, and say what to do',
    options: storeOptions,
    help: () => `  ${storeHelp}`,
    run: async (values, { environment, clock, print }) => {
      const store = storeOf(values, environment);
      const { databasePath, exists, openDatabase } = await import('./data-directory.ts');
      if (store.database === undefined && !(await exists(databasePath(store.dataDirectory)))) {
        throw usage(`${store.dataDirectory} holds no database of a server: name its --data-dir`);
      }
      const { checks } = await import('./doctor.ts');
      const database = await openDatabase(store, clock);
      let faults = 0;
      try {
        for (const { name, find } of checks) {
          const found = await find({ dataDirectory: store.dataDirectory, database, clock });
          print(`${found.length === 0 ? 'ok    ' : 'FAULT '} ${name}`);
          for (const { fault, remedy } of found) print(`       ${fault}\n         -> ${remedy}`);
          faults += found.length;
        }
      } finally {
        await database.close();
      }
      if (faults > 0) throw new ServerError('conflict', `${faults} found`);
    },
  },
  'keys rotate': {
    summary: 'Make new keys for tokens; those given out go on until they expire',
    options: storeOptions,
    help: () => '  --data-dir DIR',
    run: async (values, { environment, print }) => {
      const { dataDirectory } = storeOf(values, environment);
      const { exists, keysPath } = await import('./data-directory.ts');
      if (!(await exists(keysPath(dataDirectory)))) {
        throw usage(`${dataDirectory} holds no keys of a server: name its --data-dir`);
      }
      const { rotateKeys } = await import('./rotate-keys.ts');
      print(
        `${(await rotateKeys(dataDirectory)).join(', ')} made: restart every server on this data directory`,
      );
    },
  },
};

/** Runs the command the arguments name; returns the exit code: 0 done, 1 failed, 2 not understood. */
export async function runCommand(args: readonly string[], world: World): Promise<number> {
  const name = Object.keys(commands).find(
    (words) => args.slice(0, words.split(' ').length).join(' ') === words,
  );
  const command = name === undefined ? undefined : commands[name];
  if (name === undefined || command === undefined) {
    const isHelp = args.length === 0 || args[0] === '--help' || args[0] === 'help';
    (isHelp ? world.print : world.printError)(overview(isHelp ? undefined : args.join(' ')));
    return isHelp ? 0 : 2;
  }
  try {
    const { values } = parseArgs({
      args: args.slice(name.split(' ').length),
      options: { ...command.options, help: { type: 'boolean' } },
    });
    if (values['help'] === true) {
      world.print(`tandem-server ${name}: ${command.summary}\n${command.help()}`);
      return 0;
    }
    await command.run(values as Record<string, string | boolean | undefined>, world);
    return 0;
  } catch (error) {
    world.printError(`tandem-server ${name}: ${describe(error)}`);
    return isUsage(error) ? 2 : 1;
  }
}

const overview = (unknown: string | undefined): string =>
  [
    ...(unknown === undefined ? [] : [`tandem-server: there is no command "${unknown}"`]),
    'Usage: tandem-server COMMAND [OPTIONS]',
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`),
    'tandem-server COMMAND --help says more.',
  ].join('\n');

/** Where the data is, as far as a command beside `serve` has to know. */
function storeOf(
  values: Readonly<Record<string, string | boolean | undefined>>,
  environment: World['environment'],
): { dataDirectory: string; database: string | undefined } {
  const names = [settings.dataDirectory, settings.database].map((setting) => setting.environment);
  const { dataDirectory, database } = readConfiguration(
    values,
    Object.fromEntries(names.map((name) => [name, environment[name]])),
  );
  if (dataDirectory === undefined) throw usage('--data-dir is missing');
  return { dataDirectory, database };
}

const usage = (message: string) => new ServerError('badRequest', message);

const isUsage = (error: unknown): boolean =>
  (error instanceof ServerError && error.code === 'badRequest') ||
  (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));

const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
};
