import { stat } from 'node:fs/promises';
import { ClientError } from '../client-error.ts';
import { storageCallLimitMs, withinTime } from '../system/within-time.ts';

/**
 * Throws unless only root, or the user this client runs as, can have written the program: it is about to be run with the client's
 * rights. Links are followed, as the kernel does.
 */
export async function requireTrustedProgram(path: string): Promise<void> {
  const { uid, gid, mode } = await withinTime(stat(path), `Looking at ${path}`, storageCallLimitMs);
  const self = process.geteuid?.() ?? 0;
  const ownGroup = process.getegid?.() ?? 0;
  const trustedOwner = uid === 0 || uid === self;
  const writableByOthers = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0 && gid !== ownGroup);
  if (trustedOwner && !writableByOthers) return;
  throw new ClientError(
    'untrustedProgram',
    `Refused to run ${path}: it can be changed by others than root (owner ${uid}:${gid}, mode ${(mode & 0o7777).toString(8)}). Correct with: chown root:root ${path} && chmod go-w ${path}`,
    { path },
  );
}
