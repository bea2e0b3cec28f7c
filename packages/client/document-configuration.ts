import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTables } from './src/configuration/configuration-tables.ts';

/** Writes the tables of keys and environment variables into their document; `npm run format` lays them out. */
const path = join(import.meta.dirname, '../../docs/how-to/configure-the-client.md');
await writeFile(path, withTables(await readFile(path, 'utf8')));
