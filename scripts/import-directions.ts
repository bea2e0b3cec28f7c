import { mayImport, typesOnly } from './dependency-directions.ts';

const importPattern =
  /(?:^|\n)\s*(import|export)\s+(type\s+)?(?:[^'"();]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;

export interface Import {
  readonly specifier: string;
  readonly typesOnly: boolean;
}

/** Every import and re-export of a source text, dynamic ones included. */
export function importsOf(source: string): Import[] {
  return [...source.matchAll(importPattern)].map(([, , type, fromStatement, fromCall]) => ({
    specifier: fromStatement ?? fromCall ?? '',
    typesOnly: type !== undefined,
  }));
}

/** What is wrong with an import in a file of package `owner`; undefined when nothing is. */
export function offenceOf(file: string, owner: string, found: Import): string | undefined {
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
