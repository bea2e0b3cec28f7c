import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Every Node of version 20 or later in PATH, this one first. For tests. */
export function distinctNodes(): { path: string; version: string }[] {
  const found = new Map<string, string>();
  for (const path of [
    process.execPath,
    ...(process.env['PATH'] ?? '').split(':').map((place) => join(place, 'node')),
  ]) {
    const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
    const version = (stdout ?? '').trim().replace(/^v/, '');
    const isNewEnough = status === 0 && Number(version.split('.')[0]) >= 20;
    if (isNewEnough && !found.has(version)) found.set(version, path);
  }
  return [...found].map(([version, path]) => ({ path, version }));
}
