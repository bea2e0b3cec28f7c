import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const project = resolve(import.meta.dirname, '..');

/** Prints what a bench has found and, when it is wanted, keeps it under its date in bench/results. */
export function writeResult(name: string, isKept: boolean, lines: readonly string[]): void {
  const text = [`# ${name}, ${today()}`, '', ...lines, ''].join('\n');
  process.stdout.write(`\n${text}`);
  if (!isKept) return;
  const results = join(project, 'bench', 'results');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${today()}-${name}.md`), text);
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
