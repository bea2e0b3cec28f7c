import { ClientError } from '../client-error.ts';
import type { Processes } from '../system/system.ts';
import { parseKeyValueLines } from './key-value-lines.ts';

const identityTimeoutMs = 10_000;

/**
 * What distinguishes this device from all others, as the server knows it: the canonical JSON of what the identity program
 * prints (client contract 7.1). The server hashes this text; any change of a byte makes another device of it.
 *
 * Throws `ClientError` `noIdentity` when the program fails, takes more than 10 s, or prints nothing of use.
 */
export async function readIdentityData(
  processes: Pick<Processes, 'run'>,
  program: string,
  signal: AbortSignal,
): Promise<string> {
  const fault = (reason: string, cause?: unknown) =>
    new ClientError('noIdentity', `Cannot determine the identity of this device by ${program}: ${reason}.`, {
      cause,
    });
  let result;
  try {
    result = await processes.run(program, [], { timeoutMs: identityTimeoutMs, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw fault(error instanceof Error ? error.message : String(error), error);
  }
  if (result.timedOut) throw fault('it took more than 10 seconds');
  if (result.exitCode !== 0) throw fault(`it ended with ${result.signal ?? `exit code ${result.exitCode}`}`);
  const values = parseKeyValueLines(result.stdout);
  if (values === undefined || values.size === 0) throw fault('it must print lines of the form key=value');
  return canonicalJson(values);
}

/** Keys in the order of their bytes, no white space; one value is a text, several are a list. */
export function canonicalJson(values: ReadonlyMap<string, readonly string[]>): string {
  const entries = [...values].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const members = entries.map(
    ([key, list]) => `${JSON.stringify(key)}:${JSON.stringify(list.length === 1 ? list[0] : list)}`,
  );
  return `{${members.join(',')}}`;
}
