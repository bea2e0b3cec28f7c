import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * Artifacts made by the reference (good) and by hand, mostly wrong (bad), each with what must be made of it and what the reference
 * makes of it. See `packages/artifact/golden`.
 */

const root = fileURLToPath(new URL('../../golden/', import.meta.url));

export interface GoodCase {
  readonly id: string;
  readonly file: string;
  readonly expect: {
    readonly version: 2 | 3;
    readonly artifact_name: string;
    readonly device_types: readonly string[];
    readonly provides_group: string | null;
    readonly depends_artifact_name: readonly string[] | null;
    readonly depends_group: readonly string[] | null;
    readonly signed: boolean;
    readonly verify_key: string | null;
    readonly compression: 'none' | 'gzip' | 'lzma' | 'zstd';
    readonly scripts_in_order: readonly string[];
    readonly payloads: readonly {
      readonly type: string | null;
      readonly provides: Record<string, string>;
      readonly depends: Record<string, string>;
      readonly clears_provides: readonly string[];
      readonly meta_data: Record<string, unknown> | null;
      readonly files: readonly { name: string; size: number; mtime: number; mode: string; sha256: string }[];
    }[];
  };
  /** Output of the reference's programs, by version and command. */
  readonly observed: Readonly<
    Record<string, Readonly<Record<string, { rc: number; stdout: string; stderr: string }>>>
  >;
  readonly commands: readonly (readonly string[])[];
}

export interface BadCase {
  readonly id: string;
  readonly file: string;
  readonly must: 'accept' | 'reject' | 'either';
  readonly why: string;
  readonly verify_key?: string;
}

export function goodCases(): readonly GoodCase[] {
  return readdirSync(join(root, 'good'))
    .filter((name) => name.endsWith('.expected.json'))
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(root, 'good', name), 'utf8')) as GoodCase);
}

export function goodBytes(file: string): Buffer {
  return readFileSync(goldenPath(file));
}

/** A file of `golden/good`, as `keys/rsa2048-pkcs1.pub.pem`. */
export function goldenPath(file: string): string {
  return join(root, 'good', file);
}

/** A key of the corpus in PEM, as `ec256-sec1.pub`. */
export function goldenKey(name: string): string {
  return readFileSync(join(root, 'good', 'keys', `${name}.pem`), 'utf8');
}

/** The hand-made artifacts with their bytes; they are kept packed, since most are nearly the same. */
export function badCases(): readonly (BadCase & { readonly bytes: Buffer })[] {
  const { cases } = JSON.parse(readFileSync(join(root, 'bad', 'expected.json'), 'utf8')) as {
    cases: BadCase[];
  };
  const directory = mkdtempSync(join(tmpdir(), 'bad-artifacts-'));
  try {
    execFileSync('tar', ['-xzf', join(root, 'bad', 'artifacts.tar.gz'), '-C', directory]);
    return cases.map((one) => ({ ...one, bytes: readFileSync(join(directory, one.file)) }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
