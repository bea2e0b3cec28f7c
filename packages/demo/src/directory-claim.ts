import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Empties the directory for this process alone. Two demos on one directory would switch on each device twice, and two bootloaders
 * count the boots of one trial. Throws when the process that claimed it last still runs.
 */
export async function claimDirectory(directory: string): Promise<void> {
  const claim = join(directory, 'demo.pid');
  const owner = Number(await readFile(claim, 'utf8').catch(() => ''));
  if (owner > 0 && owner !== process.pid && isRunning(owner)) {
    throw new Error(
      `Another demo runs in ${directory} (process ${owner}). End it, or give this one its own: npm run demo -- --directory DIR`,
    );
  }
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await writeFile(claim, String(process.pid));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
