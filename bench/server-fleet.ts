import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { databasePath, keysPath } from '../packages/server/src/commands/data-directory.ts';
import { openSqliteDatabase } from '../packages/server/src/database/open-database.ts';
import { sortedIds, targetChunks } from '../packages/server/src/deployments/deployment-target.ts';
import { issueToken } from '../packages/server/src/tokens/json-web-token.ts';
import { loadSigningKeys, type SigningKeys } from '../packages/server/src/tokens/signing-keys.ts';

/* The data directory of a server that has been at work for a while: what the server benches measure on. */

export interface FleetSize {
  /** Accepted, with inventory and a token each. */
  readonly devices: number;
  /** Deployments that have ended; each device took part in one of them. */
  readonly finished: number;
  /** Deployments under way, none of them for a device that `devices` of the fleet names: `idle` others are their targets. */
  readonly active: number;
  /** Accepted devices that nobody polls for; the active deployments are for a tenth of them each, drawn by lot. */
  readonly idle: number;
  /** Whether one more deployment has ended in which all devices took part, those that are idle, too. */
  readonly ofAll?: boolean;
  /** Whether the idle ones have told what they are; a million of them take long to write. */
  readonly idleInventory?: boolean;
}

export interface Fleet {
  readonly dataDirectory: string;
  readonly devices: readonly FleetDevice[];
}

export interface FleetDevice {
  readonly id: string;
  readonly token: string;
}

const tenant = '000000000000000000000001';
const dayMs = 86_400_000;
const tokenDays = 7;

/** Makes the fleet, or finds it again where it was made within a day (tokens end). Ids are drawn by lot, as the server does. */
export async function makeFleet(dataDirectory: string, size: FleetSize): Promise<Fleet> {
  const memo = join(dataDirectory, 'fleet.json');
  if (existsSync(memo)) {
    // Written below.
    const kept = JSON.parse(readFileSync(memo, 'utf8')) as Pick<Fleet, 'devices'> & {
      size: FleetSize;
      made: number;
    };
    if (JSON.stringify(kept.size) === JSON.stringify(size) && Date.now() - kept.made < dayMs)
      return { dataDirectory, devices: kept.devices };
    throw new Error(`${dataDirectory} holds another fleet: give an empty directory`);
  }
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const database = await openSqliteDatabase(databasePath(dataDirectory), Date.now);
  await database.close();
  const sqlite = new DatabaseSync(databasePath(dataDirectory));
  sqlite.exec('PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -400000; BEGIN');
  const devices = insertDevices(
    sqlite,
    size.devices,
    await loadSigningKeys(keysPath(dataDirectory), 'device-tokens'),
  );
  const idle = insertDevices(sqlite, size.idle, undefined, size.idleInventory ?? true);
  insertDeployments(sqlite, size, devices, idle);
  sqlite.exec('COMMIT; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)');
  sqlite.close();
  writeFileSync(memo, JSON.stringify({ size, made: Date.now(), devices }));
  return { dataDirectory, devices };
}

/** What every device tells of itself; numbers are numbers. */
const inventoryOf = (number: number): Readonly<Record<string, string | number>> => ({
  device_type: ['raspberrypi4', 'beaglebone', 'qemux86-64'][number % 3] ?? '',
  artifact_name: `release-${1 + (number % 4)}`,
  hostname: `device-${number}`,
  kernel: `Linux version 6.6.${number % 50}`,
  os: 'Debian GNU/Linux 12 (bookworm)',
  mender_client_version: `4.0.${number % 5}`,
  rootfs_type: 'ext4',
  cpu_model: 'ARMv8 Processor rev 3 (v8l)',
  mem_total_kB: 900_000 + (number % 1000),
  ipv4_eth0: `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}/8`,
});

function insertDevices(
  sqlite: DatabaseSync,
  count: number,
  keys: SigningKeys | undefined,
  hasInventory = true,
): FleetDevice[] {
  const texts = sqlite.prepare('INSERT INTO inventory_texts (tenant, device_id, texts) VALUES (?, ?, ?)');
  const now = Date.now();
  const expires = now + tokenDays * dayMs;
  const device = sqlite.prepare(
    'INSERT INTO devices (tenant, id, id_data, id_data_hash, status, decommissioning, created, updated) VALUES (?, ?, ?, ?, ?, 0, ?, ?)',
  );
  const checkIn = sqlite.prepare(
    'INSERT INTO device_check_ins (tenant, device_id, time, told) VALUES (?, ?, ?, ?)',
  );
  const set = sqlite.prepare(
    'INSERT INTO auth_sets (tenant, id, device_id, id_data, id_data_hash, pubkey, status, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const token = sqlite.prepare(
    'INSERT INTO device_tokens (tenant, id, device_id, expires, digest, digest_expires, signed_by) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const inventory = sqlite.prepare('INSERT INTO inventory_devices (tenant, id) VALUES (?, ?)');
  const value = sqlite.prepare(
    'INSERT INTO inventory_values (tenant, device_id, scope, name, position, is_array, text_value, number_value) VALUES (?, ?, ?, ?, 0, 0, ?, ?)',
  );
  return Array.from({ length: count }, (_, number) => {
    const id = randomUUID();
    const setId = randomUUID();
    const mac = randomBytes(6).toString('hex');
    const identity = JSON.stringify({ mac });
    const hash = createHash('sha256').update(identity).digest('hex');
    device.run(tenant, id, identity, hash, 'accepted', now, now);
    checkIn.run(tenant, id, now, now);
    set.run(tenant, setId, id, identity, hash, `key ${mac}`, 'accepted', now);
    inventory.run(tenant, id);
    if (!hasInventory) return { id, token: '' };
    const attributes = inventoryOf(number);
    // As writeSearchedTexts writes them.
    const searched = Object.values(attributes).filter((one) => typeof one === 'string');
    texts.run(tenant, id, [id, mac, 'accepted', ...searched, `group-${number % 20}`].join('\n'));
    for (const [name, one] of Object.entries(attributes))
      value.run(
        tenant,
        id,
        'inventory',
        name,
        typeof one === 'string' ? one : null,
        typeof one === 'number' ? one : null,
      );
    value.run(tenant, id, 'identity', 'mac', mac, null);
    value.run(tenant, id, 'identity', 'status', 'accepted', null);
    value.run(tenant, id, 'system', 'group', `group-${number % 20}`, null);
    value.run(tenant, id, 'system', 'check_in_time', new Date(now).toISOString(), null);
    if (keys === undefined) return { id, token: '' };
    const seconds = Math.floor(now / 1000);
    // As issueToken writes it.
    const claims = {
      jti: setId,
      sub: id,
      iss: 'Mender',
      iat: seconds,
      nbf: seconds,
      exp: Math.floor(expires / 1000),
      'mender.tenant': tenant,
      'mender.device': true,
      'mender.plan': 'enterprise',
      'mender.addons': ['configure', 'troubleshoot', 'monitor'].map((name) => ({ name, enabled: true })),
      'mender.trial': false,
    };
    const issued = issueToken(claims, keys);
    token.run(tenant, setId, id, expires, issued.digest, expires, issued.signedBy);
    return { id, token: issued.token };
  });
}

function insertDeployments(
  sqlite: DatabaseSync,
  { finished, active, ofAll = false }: FleetSize,
  devices: readonly FleetDevice[],
  idle: readonly FleetDevice[],
): void {
  const columns =
    '(tenant, id, name, artifact_name, kind, created, finished, aborted, status, active, max_devices, device_count, force_installation, target, group_names, fingerprint, total_size_bytes)';
  const deployment = sqlite.prepare(
    `INSERT INTO deployments ${columns} VALUES (?, ?, ?, 'release-9', 'software', ?, ?, NULL, ?, ?, ?, ?, 0, ?, '[]', NULL, 0)`,
  );
  const phase = sqlite.prepare(
    'INSERT INTO deployment_phases (tenant, deployment_id, phase, starts) VALUES (?, ?, 0, ?)',
  );
  const counter = sqlite.prepare(
    'INSERT INTO deployment_statistics (tenant, deployment_id, status, devices) VALUES (?, ?, ?, ?)',
  );
  const target = sqlite.prepare(
    'INSERT INTO deployment_targets (tenant, deployment_id, first_device_id, last_device_id, device_ids) VALUES (?, ?, ?, ?, ?)',
  );
  const part = sqlite.prepare(
    `INSERT INTO device_deployments (tenant, deployment_id, device_id, attempt, deployment_created, status, active, started, finished, deleted, substate, artifact_id, request, has_log)
     VALUES (?, ?, ?, 1, ?, 'success', 0, ?, ?, NULL, NULL, NULL, NULL, 0)`,
  );
  const listed = JSON.stringify({ kind: 'devices', deviceIds: 'listed' });
  const insert = (ids: readonly string[], created: number, hasEnded: boolean) => {
    const id = randomUUID();
    deployment.run(
      tenant, id, `deployment ${created}`, created, hasEnded ? created : null,
      hasEnded ? 'finished' : 'pending', hasEnded ? 0 : 1, ids.length, hasEnded ? ids.length : 0, listed,
    ); // prettier-ignore
    phase.run(tenant, id, created);
    counter.run(tenant, id, hasEnded ? 'success' : 'pending', ids.length);
    for (const chunk of targetChunks(sortedIds(ids)))
      target.run(tenant, id, chunk.firstDeviceId, chunk.lastDeviceId, chunk.deviceIds);
    if (hasEnded) for (const deviceId of ids) part.run(tenant, id, deviceId, created, created, created);
  };
  const start = Date.now() - 30 * dayMs;
  if (ofAll)
    insert(
      [...devices, ...idle].map(({ id }) => id),
      start - 1,
      true,
    );
  const share = Math.ceil(devices.length / Math.max(1, finished));
  for (let number = 0; number < finished; number += 1) {
    const ids = devices.slice(number * share, (number + 1) * share).map(({ id }) => id);
    if (ids.length > 0) insert(ids, start + number, true);
  }
  for (let number = 0; number < active; number += 1) {
    const ids = idle.filter(() => Math.random() < 0.1).map(({ id }) => id);
    if (ids.length > 0) insert(ids, start + dayMs + number, false);
  }
}
