import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { rfc3339, type Clock } from '../clock.ts';
import { ServerError } from '../server-error.ts';
import { writeDurably } from '../write-durably.ts';
import { backupDigest, manifestName, type BackedUpFile, type BackupManifest } from './backup-manifest.ts';
import { copyFileDurably, syncDirectory } from './copy-file.ts';
import { databasePath, exists } from './data-directory.ts';

const busyTimeoutMs = 30_000;
const maxSnapshots = 5;

/**
 * Copies database, keys, certificates and artifacts into a directory that is empty or not there, while the server runs or not;
 * returns what it holds. The database is a snapshot of one moment, and every artifact it knows is with it: when one is deleted
 * while it would be copied, a new snapshot is taken. Artifacts that are in a bucket, `storage`, stay there. Throws `badRequest`,
 * `conflict`.
 */
export async function backup(
  { dataDirectory, storage }: { readonly dataDirectory: string; readonly storage: string | undefined },
  to: string,
  clock: Clock,
): Promise<BackupManifest> {
  if (!(await exists(databasePath(dataDirectory)))) {
    throw new ServerError(
      'badRequest',
      `${dataDirectory} holds no database of a server: name its --data-dir`,
    );
  }
  await mkdir(to, { recursive: true, mode: 0o700 });
  if ((await readdir(to)).length > 0) {
    throw new ServerError('badRequest', `${to} is not empty: give each backup a directory of its own`);
  }
  const files = new Map<string, BackedUpFile>();
  const copy = async (path: string) => {
    const copied = await copyFileDurably(join(dataDirectory, path), join(to, path));
    files.set(path, { path, ...copied });
  };
  for (const directory of ['keys', 'tls']) {
    for (const name of await namesIn(join(dataDirectory, directory))) await copy(`${directory}/${name}`);
  }
  const pathsIn = storage === undefined ? artifactPaths : () => [];
  const database = await snapshotWithArtifacts({ dataDirectory, to, files, copy, pathsIn });
  files.set(database.path, database);
  for (const directory of ['keys', 'tls', 'artifacts']) {
    if (await exists(join(to, directory))) await syncTree(join(to, directory));
  }
  const manifest: BackupManifest = {
    format: 1,
    created: rfc3339(clock()),
    ...(storage === undefined ? {} : { storage }),
    files: [...files.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  };
  await writeDurably(join(to, manifestName), `${JSON.stringify(manifest, undefined, 1)}\n`, 0o600);
  return manifest;
}

async function snapshotWithArtifacts({
  dataDirectory,
  to,
  files,
  copy,
  pathsIn,
}: {
  readonly dataDirectory: string;
  readonly to: string;
  readonly files: Map<string, BackedUpFile>;
  readonly copy: (path: string) => Promise<void>;
  /** What belongs to the snapshot. */
  readonly pathsIn: (snapshot: string) => string[];
}): Promise<BackedUpFile> {
  const snapshot = join(to, 'snapshot.sqlite');
  for (let taken = 1; ; taken += 1) {
    await rm(snapshot, { force: true });
    await takeSnapshot(databasePath(dataDirectory), snapshot);
    const wanted = pathsIn(snapshot);
    const missing: string[] = [];
    for (const path of wanted) {
      if (files.has(path)) continue;
      if (await exists(join(dataDirectory, path))) await copy(path).catch(ifGone(() => missing.push(path)));
      else missing.push(path);
    }
    if (missing.length === 0) {
      await dropOthers(to, files, new Set(wanted));
      const copied = await copyFileDurably(snapshot, databasePath(to));
      await rm(snapshot);
      return { path: 'tandem.sqlite', ...copied };
    }
    if (taken === maxSnapshots) {
      throw new ServerError(
        'conflict',
        `${missing.length} artifacts of the database have no file, ${join(dataDirectory, missing[0] ?? '')} for one: run doctor`,
      );
    }
  }
}

/** Deleted between the look and the copy. */
const ifGone = (note: () => void) => (error: unknown) => {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  note();
};

/** What an earlier snapshot still had, and the last has not. */
async function dropOthers(
  to: string,
  files: Map<string, BackedUpFile>,
  wanted: ReadonlySet<string>,
): Promise<void> {
  for (const path of files.keys()) {
    if (!path.startsWith('artifacts/') || wanted.has(path)) continue;
    await rm(join(to, path));
    files.delete(path);
  }
}

/** A whole database of one moment in a file of its own; the server reads and writes on meanwhile. */
async function takeSnapshot(path: string, to: string): Promise<void> {
  const file = await open(to, 'wx', 0o600);
  await file.close();
  const sqlite = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    // Into a file that is there and empty, so that it has its mode from the beginning.
    sqlite.prepare('VACUUM INTO ?').run(to);
  } finally {
    sqlite.close();
  }
}

/** What is stored beside the database, each with the table that tells of it. */
const storedObjects = [
  // Artifacts of a server that gave objects no ids of their own yet.
  {
    with: 'artifacts',
    without: 'artifact_objects',
    query: 'SELECT tenant, id FROM artifacts WHERE deleted IS NULL',
  },
  {
    with: 'artifact_objects',
    query: `SELECT a.tenant, coalesce(o.object_id, a.id) AS id FROM artifacts AS a
      LEFT JOIN artifact_objects AS o ON o.tenant = a.tenant AND o.artifact_id = a.id WHERE a.deleted IS NULL`,
  },
  // The raw files of artifacts that are still to be generated.
  {
    with: 'artifact_generations',
    query: "SELECT tenant, 'raw-' || artifact_id AS id FROM artifact_generations",
  },
] as const satisfies readonly { with: string; without?: string; query: string }[];

function artifactPaths(snapshot: string): string[] {
  const sqlite = new DatabaseSync(snapshot, { readOnly: true });
  try {
    // The database of an older server may not have every table yet.
    const tables = sqlite
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map(({ name }) => name);
    return storedObjects
      .filter((one) => tables.includes(one.with) && !('without' in one && tables.includes(one.without)))
      .flatMap(({ query }) => sqlite.prepare(query).all())
      .map(({ tenant, id }) => `artifacts/${String(tenant)}/${String(id)}`)
      .toSorted();
  } finally {
    sqlite.close();
  }
}

async function namesIn(directory: string): Promise<string[]> {
  if (!(await exists(directory))) return [];
  // A file that is being written has another name until it is whole.
  return (await readdir(directory)).filter((name) => !name.endsWith('.new')).toSorted();
}

async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncTree(join(directory, entry.name));
  }
  await syncDirectory(directory);
}

export function describeBackup(manifest: BackupManifest): string {
  const files = `${manifest.files.length} files, digest ${backupDigest(manifest)}`;
  return manifest.storage === undefined
    ? files
    : `${files}; the artifacts stay in ${manifest.storage}: a backup of it is that of the bucket`;
}
