import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  makeModuleDevice,
  readTree,
  writeModuleArtifact,
  writeTree,
  type Tree,
} from './update-modules-device.ts';
import { dockerStandIn, dpkgElsewhere, rpmStandIn } from './update-modules-programs.ts';
import { moduleRows, type ModuleRow, type ModuleSet } from './update-modules-rows.ts';

/*
 * Debian's own update modules, unmodified where its package puts them, and ours, run by our client as a device's owner runs it.
 * The rows are the same for both, with the differences told there.
 */
const needed = {
  '/usr/share/mender/modules/v3/single-file': 'mender-client',
  '/usr/bin/jq': 'jq',
  '/usr/bin/dpkg-deb': 'dpkg',
} as const;
for (const [path, from] of Object.entries(needed)) {
  assert.ok(
    existsSync(path),
    `${path} is missing: install it with "apt-get install --no-install-recommends ${from}"`,
  );
}

const root = await mkdtemp(join(tmpdir(), 'update-modules-'));
after(() => rm(root, { recursive: true }));

/** Ours, where a device has them. */
const ours = join(root, 'ours');
await mkdir(join(ours, 'modules'), { recursive: true });
await symlink(
  resolve(import.meta.dirname, '../../packages/client/support/modules'),
  join(ours, 'modules/v3'),
);

const sets = { debian: '/usr/share/mender', ours } as const satisfies Record<ModuleSet, string>;

const standIns = { dpkg: dpkgElsewhere, rpm: rpmStandIn, docker: dockerStandIn } as const;
/** Enough for the client and any module, and none of the package managers. */
const basicPrograms = [
  'sh',
  'cat',
  'cp',
  'grep',
  'jq',
  'mkdir',
  'mkfifo',
  'mv',
  'rm',
  'sync',
  'tar',
  'touch',
  'tr',
];

let made = 0;
async function deviceFor(dataDirectory: string, lacks: ModuleRow['lacks']) {
  made += 1;
  const directory = join(root, String(made));
  const target = join(directory, 'target');
  const device = await makeModuleDevice({
    directory,
    dataDirectory,
    environment: {
      TARGET: target,
      TANDEM_APPLICATIONS_DIR: join(target, 'apps'),
      TEST_CONFIG: join(target, 'configuration/device-config.json'),
      TEST_APPLY_DIR: join(target, 'apply'),
    },
    ...(lacks === undefined ? {} : { onlyPrograms: basicPrograms }),
  });
  for (const [name, script] of Object.entries(standIns)) {
    if (name !== lacks) await device.addProgram(name, script);
  }
  return device;
}

const treeOf = (row: ModuleRow, set: ModuleSet): Tree =>
  'ours' in row.after ? (row.after[set] as Tree) : (row.after as Tree);

for (const [set, dataDirectory] of Object.entries(sets) as [ModuleSet, string][]) {
  const rows = moduleRows.filter((row) => row.notOf !== set);
  for (const module of new Set(rows.map((row) => row.module))) {
    describe(`the update module ${module} (${set})`, { concurrency: 2 }, () => {
      for (const row of rows.filter((one) => one.module === module)) {
        test(row.does, async () => {
          const device = await deviceFor(dataDirectory, row.lacks);
          await writeTree(device.target, row.before ?? {});
          const artifact = await writeModuleArtifact(device.workshop, {
            name: 'update-1',
            type: row.module,
            ...(await row.artifact(device)),
          });
          for (const { command, exitCode, says, logs } of row.steps) {
            const result = await device.mender(command, ...(command === 'install' ? [artifact] : []));
            assert.deepEqual(
              { exitCode: result.exitCode, said: result.said },
              { exitCode, said: says },
              result.log,
            );
            if (logs !== undefined) assert.match(result.log, logs);
          }
          const expected = treeOf(row, set);
          assert.deepEqual(await readTree(device.target, expected), expected);
          assert.deepEqual((await device.mender('show-artifact')).said, [row.name]);
        });
      }
    });
  }
}
