import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The artifacts the reference made, with the commands that made them and what its programs print about them. */
export const goldenDirectory = fileURLToPath(new URL('../../../artifact/golden/good/', import.meta.url));

interface Output {
  readonly rc: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface GoodCase {
  readonly id: string;
  readonly file: string;
  readonly commands: readonly (readonly string[])[];
  readonly expect: {
    readonly verify_key: string | null;
    readonly version: 2 | 3;
    readonly scripts_in_order: readonly string[];
  };
  readonly inspect: {
    readonly members: readonly { readonly name: string }[];
    readonly manifest: string;
    readonly header_info: unknown;
    readonly header_entries: readonly string[];
    readonly payload_headers: Readonly<
      Record<string, { 'type-info': Record<string, unknown>; 'meta-data': unknown }>
    >;
    readonly payload_headers_augment?: unknown;
  };
  readonly observed: { readonly '4.4': Readonly<Record<string, Output>> };
}

export function goodCases(): readonly GoodCase[] {
  return readdirSync(goldenDirectory)
    .filter((name) => name.endsWith('.expected.json'))
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(goldenDirectory, name), 'utf8')) as GoodCase);
}

export const golden = (file: string): string => join(goldenDirectory, file);
