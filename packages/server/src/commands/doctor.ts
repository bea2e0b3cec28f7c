import { createHash, X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/open-database.ts';
import { engineOf } from '../database/sql-differences.ts';
import type { ObjectKey, ObjectStorage } from '../object-storage/object-storage.ts';
import { keyPurposes, readSigningKeys } from '../tokens/signing-keys.ts';
import { exists, keysPath } from './data-directory.ts';

/** What is wrong, and what to do about it. */
export interface Finding {
  readonly fault: string;
  readonly remedy: string;
}

interface Patient {
  readonly dataDirectory: string;
  readonly database: Database;
  readonly storage: ObjectStorage;
  /** Compare every byte of the artifacts, not only how many there are. */
  readonly readArtifacts: boolean;
  readonly clock: Clock;
}

interface Check {
  readonly name: string;
  readonly find: (patient: Patient) => Promise<Finding[]>;
}

const dayMs = 86_400_000;
const renewBeforeDays = 30;

/** In the order they are told. */
export const checks: readonly Check[] = [
  { name: 'the database is whole', find: integrity },
  { name: 'counters equal what they count', find: counters },
  { name: 'every artifact is stored as it was uploaded', find: storedArtifacts },
  { name: 'keys can be used, by their owner alone', find: keys },
  { name: 'certificates are valid for a while', find: certificates },
];

async function integrity({ database }: Patient): Promise<Finding[]> {
  // PostgreSQL looks after itself, by checksums and pg_amcheck.
  if (engineOf(database.read) !== 'sqlite') return [];
  const { rows: faults } = await sql<{ integrity_check: string }>`PRAGMA integrity_check(20)`.execute(
    database.read,
  );
  const { rows: orphans } = await sql<{ table: string }>`PRAGMA foreign_key_check`.execute(database.read);
  const remedy = 'stop the server and restore a backup into a new data directory';
  return [
    ...faults
      .filter(({ integrity_check: text }) => text !== 'ok')
      .map(({ integrity_check: fault }) => ({ fault, remedy })),
    ...[...new Set(orphans.map(({ table }) => table))].map((table) => ({
      fault: `${table} has rows that refer to nothing`,
      remedy,
    })),
  ];
}

/** What is stored as a number beside the rows it counts; each statement finds where they differ. */
const counts = {
  'devices that took part in deployment': sql`
    SELECT d.id AS ref FROM deployments AS d WHERE d.device_count <> (
      SELECT count(DISTINCT r.device_id) FROM device_deployments AS r WHERE r.tenant = d.tenant AND r.deployment_id = d.id
    ) ORDER BY 1`,
  'devices by status of deployment': sql`
    SELECT DISTINCT s.deployment_id AS ref FROM deployment_statistics AS s WHERE s.status <> 'pending' AND s.devices <> (
      SELECT count(*) FROM device_deployments AS r
      WHERE r.tenant = s.tenant AND r.deployment_id = s.deployment_id AND r.status = s.status AND r.attempt = (
        SELECT max(l.attempt) FROM device_deployments AS l
        WHERE l.tenant = r.tenant AND l.deployment_id = r.deployment_id AND l.device_id = r.device_id
      )
    ) ORDER BY 1`,
  'all devices of deployment': sql`
    SELECT d.id AS ref FROM deployments AS d WHERE d.aborted IS NULL AND d.max_devices <> (
      SELECT coalesce(sum(s.devices), 0) FROM deployment_statistics AS s WHERE s.tenant = d.tenant AND s.deployment_id = d.id
    ) ORDER BY 1`,
  'artifacts of release': sql`
    SELECT r.name AS ref FROM releases AS r WHERE r.artifacts_count <> (
      SELECT count(*) FROM artifacts AS a WHERE a.tenant = r.tenant AND a.name = r.name AND a.deleted IS NULL
    ) ORDER BY 1`,
} as const;

async function counters({ database }: Patient): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const [what, query] of Object.entries(counts)) {
    const { rows } = await query.$castTo<{ ref: string }>().execute(database.read);
    found.push(
      ...rows.map(({ ref }) => ({
        fault: `the number of ${what} ${ref} is not what its rows say`,
        remedy: 'report it with a backup of the database: this is a bug of the server; updates go on',
      })),
    );
  }
  return found;
}

async function storedArtifacts({ database, storage, readArtifacts }: Patient): Promise<Finding[]> {
  const artifacts = await database.read
    .selectFrom('artifacts as a')
    .leftJoin('artifact_objects as o', (join) =>
      join.onRef('o.tenant', '=', 'a.tenant').onRef('o.artifact_id', '=', 'a.id'),
    )
    .select(['a.tenant', 'a.id', 'a.name', 'a.size_bytes', 'o.object_id', 'o.sha256'])
    .where('a.deleted', 'is', null)
    .orderBy('a.id')
    .execute();
  const found: Finding[] = [];
  for (const { tenant, id, name, size_bytes: sizeBytes, object_id: objectId, sha256 } of artifacts) {
    const key = { tenant, id: objectId ?? id };
    // Servers of before kept no checksum.
    const expected = { sizeBytes, sha256: readArtifacts ? sha256 : null };
    const fault = await faultOf(storage, key, expected);
    if (fault === undefined) continue;
    found.push({
      fault: `${tenant}/${key.id} of artifact ${name} ${fault}`,
      remedy: 'put it back from a backup, or delete the artifact and upload it again',
    });
  }
  return found;
}

async function faultOf(
  storage: ObjectStorage,
  key: ObjectKey,
  { sizeBytes, sha256 }: { readonly sizeBytes: number; readonly sha256: string | null },
): Promise<string | undefined> {
  const object = await storage.get(key);
  if (object === undefined) return 'is missing';
  if (object.sizeBytes !== sizeBytes || sha256 === null) {
    await object.close();
    return object.sizeBytes === sizeBytes
      ? undefined
      : `has ${object.sizeBytes} bytes instead of ${sizeBytes}`;
  }
  const hash = createHash('sha256');
  for await (const chunk of object.content(0, sizeBytes - 1)) hash.update(chunk as Uint8Array);
  return hash.digest('hex') === sha256 ? undefined : 'is not what was uploaded: its SHA-256 is another';
}

async function keys({ dataDirectory }: Patient): Promise<Finding[]> {
  const directory = keysPath(dataDirectory);
  const found: Finding[] = [];
  for (const secret of [directory, join(dataDirectory, 'tls')]) {
    if (!(await exists(secret))) continue;
    for (const name of await readdir(secret)) {
      const path = join(secret, name);
      const mode = (await stat(path)).mode & 0o777;
      const isSecret = secret === directory || name.endsWith('-key.pem');
      if (isSecret && (mode & 0o077) !== 0) {
        found.push({
          fault: `${path} can be read by others (mode ${mode.toString(8)})`,
          remedy: `chmod 600 ${path}, and run keys rotate when somebody may have read it`,
        });
      }
    }
  }
  for (const purpose of keyPurposes) {
    try {
      await readSigningKeys(directory, purpose);
    } catch (error) {
      found.push({
        fault: `the keys of ${purpose} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
        remedy: `put ${directory} back from a backup`,
      });
    }
  }
  return found;
}

async function certificates({ dataDirectory, clock }: Patient): Promise<Finding[]> {
  const remedies = {
    'server.pem': 'restart the server: it makes a new one, trusted by the same authority',
    'ca.pem':
      'give the devices another authority while they still trust this one, then move both files of it away and restart',
  } as const;
  const found: Finding[] = [];
  for (const [name, remedy] of Object.entries(remedies)) {
    const path = join(dataDirectory, 'tls', name);
    if (!(await exists(path))) continue;
    const { validTo } = new X509Certificate(await readFile(path));
    if (Date.parse(validTo) - clock() < renewBeforeDays * dayMs) {
      found.push({ fault: `${path} is valid until ${validTo} only`, remedy });
    }
  }
  return found;
}
