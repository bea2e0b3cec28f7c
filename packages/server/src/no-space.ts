/**
 * How file systems, SQLite, PostgreSQL and buckets say that there is no space left, or that a quota is met: by `code`, or SQLite by
 * `errcode`.
 */
const codes: ReadonlySet<unknown> = new Set([
  'ENOSPC',
  'EDQUOT',
  // PostgreSQL: disk_full.
  '53100',
  // ObjectStorageError.
  'full',
]);
const sqliteCodes: ReadonlySet<unknown> = new Set([
  13, // SQLITE_FULL
  4874, // SQLITE_IOERR_SHMSIZE: its shared memory is a file, too
]);
const maxDepth = 10;

/** Whether the error, or whatever caused it, is that there is no space left. */
export function saysNoSpace(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < maxDepth && cause instanceof Error; depth += 1) {
    if ('code' in cause && codes.has(cause.code)) return true;
    if ('errcode' in cause && sqliteCodes.has(cause.errcode)) return true;
    cause = cause.cause;
  }
  return false;
}
