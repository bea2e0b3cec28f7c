import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Absolute path of one of our own programs, as `npm ci` links it. */
export function ownProgram(name: 'mender-artifact' | 'mender-update' | 'tandem-server'): string {
  let directory = import.meta.dirname;
  for (;;) {
    const path = join(directory, 'node_modules', '.bin', name);
    if (existsSync(path)) return path;
    const parent = dirname(directory);
    if (parent === directory)
      throw new Error(`${name} is not installed; run \`npm ci\` in the project's directory first`);
    directory = parent;
  }
}
