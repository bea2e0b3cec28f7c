import { runProgram } from './run-program.ts';

/** What every package of ours says alike. */
export const maintainer = 'Tandem maintainers <maintainers@tandem-update.invalid>';

/**
 * The time all files of a package get, in seconds since 1970: SOURCE_DATE_EPOCH, else that of the last commit, so that the same
 * sources make the same package. Throws for a SOURCE_DATE_EPOCH that is no number.
 */
export async function sourceDate(
  project: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const given =
    environment['SOURCE_DATE_EPOCH'] ??
    (await runProgram('git', ['-C', project, 'log', '-1', '--format=%ct'])).trim();
  if (!/^[0-9]{1,11}$/.test(given)) {
    throw new Error(`SOURCE_DATE_EPOCH=${given} is no number of seconds since 1970`);
  }
  return Number(given);
}
