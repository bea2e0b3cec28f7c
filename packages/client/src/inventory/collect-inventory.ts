import { join } from 'node:path';
import { ClientError } from '../client-error.ts';
import { parseKeyValueLines } from '../identity/key-value-lines.ts';
import type { InventoryAttribute } from '../server-connection/server-connection.ts';
import type { System } from '../system/system.ts';

const scriptPrefix = 'mender-inventory-';
const scriptTimeoutMs = 10_000;

/**
 * What is known of this device (client contract 8): what the inventory programs in `directory` print, and over that what the
 * client knows itself, `known`. Sorted by name; a name given several times has a list of values.
 *
 * A program that fails is left out, with a warning. Throws `ClientError` `noInventory` when there are some and all fail.
 */
export async function collectInventory(
  system: Pick<System, 'files' | 'processes' | 'log'>,
  directory: string,
  known: Readonly<Record<string, string | readonly string[]>>,
  signal: AbortSignal,
): Promise<readonly InventoryAttribute[]> {
  const scripts = await inventoryScripts(system, directory);
  const attributes = new Map<string, string[]>();
  let failed = 0;
  for (const script of scripts) {
    const values = await runScript(system, script, signal);
    if (values === undefined) failed += 1;
    for (const [name, list] of values ?? []) attributes.set(name, [...(attributes.get(name) ?? []), ...list]);
  }
  if (failed > 0 && failed === scripts.length) {
    throw new ClientError(
      'noInventory',
      `Cannot collect the inventory: all ${failed} programs in ${directory} failed.`,
    );
  }
  for (const [name, value] of Object.entries(known)) attributes.set(name, [value].flat());
  return [...attributes]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, list]) => ({ name, value: list.length === 1 && list[0] !== undefined ? list[0] : list }));
}

async function inventoryScripts(system: Pick<System, 'files'>, directory: string): Promise<string[]> {
  const names = (await system.files.list(directory)) ?? [];
  const paths = names.filter((name) => name.startsWith(scriptPrefix)).map((name) => join(directory, name));
  const kinds = await Promise.all(paths.map((path) => system.files.kind(path)));
  return paths.filter((_, index) => kinds[index]?.kind === 'file' && kinds[index].executable);
}

async function runScript(
  { processes, log }: Pick<System, 'processes' | 'log'>,
  script: string,
  signal: AbortSignal,
): Promise<Map<string, string[]> | undefined> {
  const leaveOut = (reason: string) => {
    log('warning', `Inventory program ${script} is left out: ${reason}.`);
    return undefined;
  };
  try {
    const result = await processes.run(script, [], {
      timeoutMs: scriptTimeoutMs,
      signal,
      maxOutputBytes: 256 * 1024,
    });
    if (result.timedOut) return leaveOut('it took more than 10 seconds');
    if (result.exitCode !== 0)
      return leaveOut(`it ended with ${result.signal ?? `exit code ${result.exitCode}`}`);
    return parseKeyValueLines(result.stdout) ?? leaveOut('it printed a line that is not key=value');
  } catch (error) {
    if (signal.aborted) throw error;
    return leaveOut(error instanceof Error ? error.message : String(error));
  }
}
