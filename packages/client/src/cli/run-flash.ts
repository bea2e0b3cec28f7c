import type { Readable } from 'node:stream';
import { ClientError } from '../client-error.ts';
import { flash } from '../rootfs/flash.ts';
import type { ClientGround } from './client-parts.ts';
import type { OptionName } from './command-line.ts';
import { type ParsedArguments } from './parse-arguments.ts';

export interface FlashSurroundings {
  readonly print: (line: string) => void;
  readonly standardInput: () => Readable;
  readonly signal: AbortSignal;
}

/** `flash` (client contract 4.3): says at its end what was written and what was there already. */
export async function runFlash(
  { system }: ClientGround,
  parsed: ParsedArguments,
  { print, standardInput, signal }: FlashSurroundings,
): Promise<number> {
  const writeEverything = parsed.options.has('write-everything');
  const options = {
    input: required(parsed, 'input'),
    output: required(parsed, 'output'),
    sizeBytes: bytesOf(parsed, 'input-size'),
    flushIntervalBytes: bytesOf(parsed, 'fsync-interval') ?? 1024 * 1024,
    writeEverything,
  };
  const written = await flash(options, { standardInput, processes: system.processes }, signal);
  if (writeEverything) print(`Total bytes written: ${written.sizeBytes}`);
  else {
    print('STATISTICS');
    print(`Blocks written: ${written.writtenBlocks}`);
    print(`Blocks omitted: ${written.sameBlocks}`);
    print(`Bytes written: ${written.writtenBytes}`);
    print(`Total bytes: ${written.sizeBytes}`);
  }
  return 0;
}

function required(parsed: ParsedArguments, name: OptionName): string {
  const value = parsed.options.get(name)?.at(-1);
  if (value === undefined) throw new ClientError('commandLine', `Need --${name}`);
  return value;
}

function bytesOf(parsed: ParsedArguments, name: OptionName): number | undefined {
  const text = parsed.options.get(name)?.at(-1);
  if (text === undefined) return undefined;
  const bytes = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(bytes)) return bytes;
  throw new ClientError('commandLine', `--${name} must be a number of bytes, not '${text}'`);
}
