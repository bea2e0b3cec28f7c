import { resolve } from 'node:path';
import type { ParseArgsOptionsConfig } from 'node:util';
import type { Clock } from '../clock.ts';
import {
  effectiveConfiguration,
  exampleConfiguration,
  settingsHelp,
} from '../configuration/describe-configuration.ts';
import {
  readConfiguration,
  settleConfiguration,
  type Environment,
  type OptionValues,
} from '../configuration/read-configuration.ts';
import {
  configurationFile,
  mayBeSecret,
  secretFile,
  settings,
  type Setting,
} from '../configuration/settings.ts';
import type { Log, LogFormat } from '../log.ts';
import { ServerError } from '../server-error.ts';
import type { VirtualDevices } from '../virtual-devices.ts';

/** What a command may use of the machine; main.ts alone has the real one. */
export interface World {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: (format: LogFormat) => Log;
  readonly print: (text: string) => void;
  readonly printError: (text: string) => void;
  /** One line of standard input, without its end. */
  readonly readLine: () => Promise<string>;
  readonly virtualDevices: VirtualDevices;
  /** Resolves when the process is asked to end. */
  readonly stopRequested: () => Promise<void>;
}

export interface Command {
  readonly summary: string;
  readonly options: ParseArgsOptionsConfig;
  /** The options, as text below the summary. */
  readonly help: () => string;
  readonly run: (values: OptionValues, world: World) => Promise<void>;
}

/** The options that give these settings, the one that names a configuration file among them. */
const optionsOf = (given: readonly Setting[]): ParseArgsOptionsConfig =>
  Object.fromEntries([
    [configurationFile.option, { type: 'string' } as const],
    ...given.flatMap((setting) => [
      [setting.option, { type: setting.type === 'flag' ? 'boolean' : 'string' } as const] as const,
      ...(mayBeSecret(setting) ? [[secretFile(setting).option, { type: 'string' } as const] as const] : []),
    ]),
  ]);

const allOptions = optionsOf(Object.values<Setting>(settings));
const storeOptions = optionsOf([settings.dataDirectory, settings.database]);
const storageOptions = optionsOf([
  settings.storage,
  settings.storageAccessKey,
  settings.storageSecretKey,
  settings.storageSessionToken,
]);
const storeHelp = '--config FILE | --data-dir DIR [--database URL]';

/** What `tandem-server` can do, by its words on the command line. */
export const commands: Readonly<Record<string, Command>> = {
  serve: {
    summary: 'Run the server',
    options: allOptions,
    help: settingsHelp,
    run: async (values, world) => {
      const configuration = await readConfiguration(values, world.environment);
      const log = world.log(configuration.logFormat);
      // Loaded when it is clear that it is needed: a mistyped option is answered at once.
      const { serve } = await import('./serve.ts');
      // Heard from the beginning: whoever reads that the server is ready may stop it at once.
      const stopRequested = world.stopRequested();
      const stop = await serve(configuration, { ...world, log });
      await stopRequested;
      log('info', 'stopping');
      await stop();
    },
  },
  config: {
    summary: 'Print what serve would go by, and where each value comes from; secrets are hidden',
    options: { ...allOptions, example: { type: 'boolean' } },
    help: () =>
      `  --example\n      Print a configuration file in which every setting is explained.\n${settingsHelp()}`,
    run: async ({ example, ...values }, { environment, print }) => {
      if (example === true) {
        print(exampleConfiguration());
        return;
      }
      print(effectiveConfiguration(await settleConfiguration(values, environment)));
      await readConfiguration(values, environment);
    },
  },
  'user create': {
    summary: 'Make a user; the password is read from standard input',
    options: { ...storeOptions, email: { type: 'string' }, 'password-stdin': { type: 'boolean' } },
    help: () => `  ${storeHelp} --email ADDRESS --password-stdin`,
    run: async (values, { environment, clock, readLine, print }) => {
      const store = await storeOf(values, environment);
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
      const database = await openDatabase(await storeOf(values, environment), clock);
      await database.close();
      print('the database is up to date');
    },
  },
  backup: {
    summary: 'Copy database, keys and artifacts into a directory, also while the server runs',
    options: { ...storeOptions, ...storageOptions, to: { type: 'string' } },
    help: () =>
      '  --config FILE | --data-dir DIR [--storage URL], --to EMPTY-DIR\n      Artifacts that are in a bucket stay there.',
    run: async (values, { environment, clock, print }) => {
      const { dataDirectory, database } = await storeOf(values, environment);
      if (database !== undefined) {
        throw usage(
          'backup is for SQLite: on PostgreSQL use pg_dump first, then copy keys, tls and artifacts out of the data directory',
        );
      }
      if (typeof values['to'] !== 'string') throw usage('--to is missing: name the directory of the backup');
      const { backup, describeBackup } = await import('./backup.ts');
      const to = resolve(values['to']);
      const { storage } = await storageOf(values, environment);
      print(`${to}: ${describeBackup(await backup({ dataDirectory, storage }, to, clock))}`);
    },
  },
  restore: {
    summary: 'Make a data directory out of a backup',
    options: { ...storeOptions, from: { type: 'string' } },
    help: () => '  --config FILE | --data-dir NEW-DIR, --from DIR',
    run: async (values, { environment, print }) => {
      const { dataDirectory } = await storeOf(values, environment);
      if (typeof values['from'] !== 'string')
        throw usage('--from is missing: name the directory of the backup');
      const { restore } = await import('./restore.ts');
      const { describeBackup } = await import('./backup.ts');
      print(`${dataDirectory}: ${describeBackup(await restore(resolve(values['from']), dataDirectory))}`);
    },
  },
  doctor: {
    summary: 'Look for what is wrong with the data, and say what to do',
    options: { ...storeOptions, ...storageOptions, 'read-artifacts': { type: 'boolean' } },
    help: () =>
      `  ${storeHelp} [--storage URL] [--read-artifacts]\n` +
      '      With --read-artifacts every byte of the artifacts is compared, not only their number.',
    run: async ({ 'read-artifacts': readArtifacts, ...values }, { environment, clock, print }) => {
      const store = await storeOf(values, environment);
      const { dataDirectory } = store;
      const { databasePath, exists, openDatabase, storagePaths } = await import('./data-directory.ts');
      if (store.database === undefined && !(await exists(databasePath(store.dataDirectory)))) {
        throw usage(`${store.dataDirectory} holds no database of a server: name its --data-dir`);
      }
      const { checks } = await import('./doctor.ts');
      const { lookIntoObjectStorage } = await import('../object-storage/open-object-storage.ts');
      const storage = await lookIntoObjectStorage(
        await storageOf(values, environment),
        storagePaths(dataDirectory),
        clock,
      );
      const database = await openDatabase(store, clock);
      let faults = 0;
      try {
        for (const { name, find } of checks) {
          const found = await find({
            dataDirectory,
            database,
            storage,
            readArtifacts: readArtifacts === true,
            clock,
          });
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
    help: () => '  --config FILE | --data-dir DIR',
    run: async (values, { environment, print }) => {
      const { dataDirectory } = await storeOf(values, environment);
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

/** Where the data is, as far as a command beside `serve` has to know. */
async function storeOf(
  values: OptionValues,
  environment: Environment,
): Promise<{ dataDirectory: string; database: string | undefined }> {
  const { dataDirectory, database } = await readConfiguration(values, environment, [
    'dataDirectory',
    'database',
  ]);
  if (dataDirectory === undefined) throw usage('--data-dir is missing');
  const { assertNotRootElsewhere } = await import('./data-directory.ts');
  await assertNotRootElsewhere(dataDirectory);
  return { dataDirectory, database };
}

/** Where the artifacts are, as far as a command beside `serve` has to know. */
const storageOf = (values: OptionValues, environment: Environment) =>
  readConfiguration(values, environment, [
    'dataDirectory',
    'storage',
    'storageAccessKey',
    'storageSecretKey',
    'storageSessionToken',
  ]);

const usage = (message: string) => new ServerError('badRequest', message);
