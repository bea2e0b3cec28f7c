import { parseArgs } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import type { OptionValues } from '../configuration/read-configuration.ts';
import { ServerError } from '../server-error.ts';
import { commands, type World } from './commands.ts';

/** Runs the command the arguments name; returns the exit code: 0 done, 1 failed, 2 not understood. */
export async function runCommand(args: readonly string[], world: World): Promise<number> {
  const name = Object.keys(commands).find(
    (words) => args.slice(0, words.split(' ').length).join(' ') === words,
  );
  const command = name === undefined ? undefined : commands[name];
  if (args[0] === '--version') {
    world.print(`tandem-server ${manifest.version}`);
    return 0;
  }
  if (name === undefined || command === undefined) {
    const isHelp = args.length === 0 || args[0] === '--help' || args[0] === 'help';
    (isHelp ? world.print : world.printError)(overview(isHelp ? undefined : args.join(' ')));
    return isHelp ? 0 : 2;
  }
  try {
    const { values } = parseArgs({
      args: args.slice(name.split(' ').length),
      options: { ...command.options, help: { type: 'boolean' } },
      // `--no-http` takes back what environment or file say.
      allowNegative: true,
    });
    if (values['help'] === true) {
      world.print(`tandem-server ${name}: ${command.summary}\n${command.help()}`);
      return 0;
    }
    await command.run(values as OptionValues, world);
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

const isUsage = (error: unknown): boolean =>
  (error instanceof ServerError && error.code === 'badRequest') ||
  (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));

const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
};
