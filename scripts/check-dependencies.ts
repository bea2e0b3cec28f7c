import { readFileSync, globSync } from 'node:fs';
import { mayImport } from './dependency-directions.ts';
import { importsOf, offenceOf } from './import-directions.ts';

/** Holds every import in `packages/` to the table of directions; prints each offence and exits 1. */

const offences: string[] = [];
let count = 0;
for (const file of globSync('packages/*/**/*.{ts,tsx}', {
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
