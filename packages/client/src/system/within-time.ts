import { ClientError } from '../client-error.ts';

/**
 * How long one call to a file or device may take. Far beyond what the slowest flash needs for what one call gives it; a call that
 * takes longer is in the hands of a driver that has lost its device, and may never come back.
 */
export const storageCallLimitMs = 10 * 60_000;

/**
 * Resolves as the call does, or rejects with `storageHangs` when its time is up. The call itself cannot be called off: it goes on
 * holding one of the few threads that do all file work, and keeps the process from ending in the usual way (`main.ts`).
 */
export async function withinTime<T>(call: Promise<T>, what: string, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(
        new ClientError(
          'storageHangs',
          `${what} has not come back within ${limitMs / 1000} s: the storage hangs. Look for I/O errors in the kernel's log; ` +
            'the medium may be failing.',
        ),
      );
    }, limitMs);
  });
  try {
    return await Promise.race([call, timeUp]);
  } finally {
    clearTimeout(timer);
    // Whatever becomes of a call that is no longer waited for is nobody's matter.
    call.catch(() => undefined);
  }
}
