import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Type } from 'typebox';
import { allEndpoints } from './all-endpoints.ts';
import { checker, defineEndpoint, empty } from './endpoint.ts';
import { openApiDocument } from './open-api.ts';

describe('the contract', () => {
  it('has each id and each method with path once', () => {
    assert.equal(new Set(allEndpoints.map(({ id }) => id)).size, allEndpoints.length);
    const routes = allEndpoints.flatMap(({ method, path, aliases = [] }) =>
      [path, ...aliases].map((one) => `${method} ${one}`),
    );
    assert.deepEqual(
      routes.filter((route, index) => routes.indexOf(route) !== index),
      [],
    );
  });

  it('names an audit action for whatever a user changes', () => {
    const silent = allEndpoints.filter(
      ({ audience, method, permission, auditAction }) =>
        audience === 'user' && method !== 'GET' && auditAction === null && permission?.endsWith('.write'),
    );
    // One's own settings are nobody's business.
    assert.deepEqual(
      silent.map(({ id }) => id),
      ['replaceOwnSettings'],
    );
  });

  it('answers 401 wherever a token is asked for, and never where none is', () => {
    for (const { id, audience, errors } of allEndpoints) {
      if (audience !== 'none') assert.ok(errors.includes(401), id);
    }
  });

  const good = {
    id: 'x',
    method: 'GET',
    path: '/x/{id}',
    tag: 't',
    summary: 's',
    audience: 'user',
    permission: 'devices.read',
    auditAction: null,
    params: Type.Object({ id: Type.String() }),
    responses: { 204: empty },
    errors: [],
  } as const;

  it('refuses an endpoint whose path and params differ, or whose permission does not go with its audience', () => {
    assert.equal(defineEndpoint(good), good);
    assert.throws(() => defineEndpoint({ ...good, path: '/x/{name}' }), /names \{name\}, params \{id\}/);
    assert.throws(() => defineEndpoint({ ...good, aliases: ['/y'] }), /path \/y/);
    assert.throws(() => defineEndpoint({ ...good, permission: null }), /permission/);
    assert.throws(() => defineEndpoint({ ...good, audience: 'device' }), /permission/);
  });

  it('names every fault of a value, up to a bound', () => {
    const check = checker(Type.Object({ a: Type.Integer(), b: Type.Array(Type.String()) }));
    assert.ok(check.accepts({ a: 1, b: [] }));
    const faults = check.faults({ a: 'x', b: Array(100).fill(1) });
    assert.equal(faults.length, 8);
    assert.match(faults[0] ?? '', /^a: /);
    assert.match(faults[1] ?? '', /^b\.0: /);
  });
});

describe('the OpenAPI document', () => {
  it('has every endpoint under its path', () => {
    const { paths } = openApiDocument(allEndpoints, '1') as {
      paths: Record<string, Record<string, { operationId: string }>>;
    };
    for (const { id, method, path } of allEndpoints)
      assert.equal(paths[path]?.[method.toLowerCase()]?.operationId, id);
  });

  it('is fresh as checked in; --check says where it is not', async () => {
    const script = fileURLToPath(new URL('../openapi/generate.ts', import.meta.url));
    const document = fileURLToPath(new URL('../openapi/tandem.json', import.meta.url));
    await promisify(execFile)(process.execPath, [script, '--check']);
    const directory = await mkdtemp(join(tmpdir(), 'tandem-openapi-'));
    const stale = join(directory, 'stale.json');
    await writeFile(stale, (await readFile(document, 'utf8')).replace('"listDevices"', '"listDevicez"'));
    await assert.rejects(
      promisify(execFile)(process.execPath, [script, '--check', stale]),
      /listDevicez[\s\S]*listDevices/,
    );
    await rm(directory, { recursive: true });
  });
});
