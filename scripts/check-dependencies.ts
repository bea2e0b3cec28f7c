import { readFileSync, globSync } from 'node:fs';
import { mayImport, typesOnly } from './dependency-directions.ts';

/** Holds every import in `packages/` to the table of directions; prints each offence and exits 1. */

const importPattern =
  /(?:^|\n)\s*(import|export)\s+(type\s+)?(?:[^'"();]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;

interface Import {
  readonly specifier: string;
  readonly typesOnly: boolean;
}

function importsOf(source: string): Import[] {
  return [...source.matchAll(importPattern)].map(([, , type, fromStatement, fromCall]) => ({
    specifier: fromStatement ?? fromCall ?? '',
    typesOnly: type !== undefined,
  }));
}

function offenceOf(file: string, owner: string, found: Import): string | undefined {
  const { specifier } = found;
  if (specifier.startsWith('.')) {
    const depth = file.split('/').length - 3; // packages/<owner>/ is depth 0
    const climbs = specifier.match(/\.\.\//g)?.length ?? 0;
    return climbs > depth ? `${file}: "${specifier}" leaves the package; import it by name` : undefined;
  }
  const sibling = /^@tandem\/([^/]+)/.exec(specifier)?.[1];
  if (sibling === undefined || sibling === owner) return undefined;
  const allowed: readonly string[] = mayImport[owner as keyof typeof mayImport] ?? [];
  if (!allowed.includes(sibling)) {
    return `${file}: ${owner} may not import ${sibling} (allowed: ${allowed.join(', ') || 'no sibling'})`;
  }
  if (typesOnly[owner]?.includes(sibling) === true && !found.typesOnly) {
    return `${file}: ${owner} may import only types of ${sibling}`;
  }
  return undefined;
}

const offences: string[] = [];
let count = 0;
for (const file of globSync('packages/*/**/*.ts', {
  exclude: (name) => name.includes('node_modules') || name.endsWith('dist'),
})) {
  const owner = file.split('/')[1] ?? '';
  if (!(owner in mayImport))
    offences.push(`${file}: package ${owner} is not in scripts/dependency-directions.ts`);
  for (const found of importsOf(readFileSync(file, 'utf8'))) {
    count += 1;
    const offence = offenceOf(file, owner, found);
    if (offence !== undefined) offences.push(offence);
  }
}
for (const offence of offences) process.stderr.write(`${offence}\n`);
process.stdout.write(
  `dependency direction: ${String(count)} imports read, ${String(offences.length)} offences\n`,
);
process.exitCode = offences.length === 0 && count > 0 ? 0 : 1;
