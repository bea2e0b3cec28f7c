import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readTree, writeTree, type Tree } from './update-modules-device.ts';
import { dockerStandIn } from './update-modules-programs.ts';

/*
 * Our update modules, killed before each program they start; then rolled back, as the client does after a power cut. Every program
 * is counted by a stand-in that hands on to the real one, or kills the whole process group.
 */
const modules = resolve(import.meta.dirname, '../../packages/client/support/modules');
const root = await mkdtemp(join(tmpdir(), 'update-modules-power-cuts-'));
after(() => rm(root, { recursive: true }));

const counted = [
  'cat',
  'chmod',
  'cp',
  'docker',
  'find',
  'jq',
  'mkdir',
  'mv',
  'rm',
  'rmdir',
  'sync',
  'tar',
] as const;
const programs = join(root, 'programs');
await mkdir(programs);
await writeProgram(join(root, 'docker'), dockerStandIn);
for (const name of counted) {
  const real =
    name === 'docker'
      ? join(root, 'docker')
      : execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
  await writeProgram(
    join(programs, name),
    `read -r left < "$COUNTER"
[ "$left" = 1 ] && kill -9 0
echo $((left - 1)) > "$COUNTER"
PATH=$REAL_PATH exec ${real} "$@"
`,
  );
}

async function writeProgram(path: string, script: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${script}`);
  await chmod(path, 0o755);
}

interface Situation {
  readonly module: string;
  readonly name: string;
  readonly before: Tree;
  readonly files: (target: string) => Readonly<Record<string, string | Uint8Array>>;
  readonly metaData?: Readonly<Record<string, unknown>>;
}

const tarOf = (name: string, content: string): Buffer => {
  execFileSync('/bin/sh', ['-c', `mkdir -p tree && printf %s "$2" > "tree/$1"`, 'sh', name, content], {
    cwd: root,
  });
  return execFileSync('tar', ['-C', join(root, 'tree'), '-c', name]);
};
const newSite = tarOf('index.html', 'new');
const newShop = gzipSync(tarOf('compose.yaml', 'services: two\n'));

const settings = (target: string) => ({
  settings: 'new',
  filename: 'settings\n',
  dest_dir: `${target}/etc\n`,
  permissions: '600\n',
});
const site = (target: string) => ({ 'update.tar': newSite, dest_dir: `${target}/site\n` });
/** Programs that leave nothing of their own where a rollback would be judged. */
const programsOfConfiguration = { 'apply/10-zone': '755:#!/bin/sh\nexit 0\n' };
const configuration = { files: () => ({}), metaData: { zone: 'UTC' } };
const shop = { files: () => ({ 'manifests.tar.gz': newShop }), metaData: { application_name: 'shop' } };

// prettier-ignore
const situations: readonly Situation[] = [
  { module: 'single-file', name: 'over a file',                before: { 'etc/settings': '644:old' },                        files: settings },
  { module: 'single-file', name: 'where there was none',       before: { 'etc/other': 'other' },                             files: settings },
  { module: 'directory',   name: 'over a directory',           before: { 'site/index.html': 'old', 'site/data': 'device' },  files: site },
  { module: 'directory',   name: 'where there was none',       before: { other: 'other' },                                   files: site },
  { module: 'docker',      name: 'over running containers',    before: { 'running/old': 'run app:1', 'stopped/x': 'other' }, files: () => ({}), metaData: { containers: ['app:2'] } },
  { module: 'docker-compose', name: 'over the former version', before: { 'apps/shop/current/compose.yaml': 'services: one\n', 'apps/shop/current/.env': '', 'running/shop': 'services: one\n' }, ...shop },
  { module: 'docker-compose', name: 'where there was none',    before: { other: 'other' },                                   ...shop },
  { module: 'mender-configure', name: 'over a configuration',  before: { 'configuration/device-config.json': '{"zone":"CET"}', ...programsOfConfiguration }, ...configuration },
  { module: 'mender-configure', name: 'where there was none',  before: programsOfConfiguration,                              ...configuration },
];

let made = 0;
async function device({ before, files, metaData }: Situation) {
  made += 1;
  const home = join(root, String(made));
  const [target, tree, counter] = ['target', 'tree', 'counter'].map((name) => join(home, name));
  assert.ok(target !== undefined && tree !== undefined && counter !== undefined);
  for (const path of [target, join(tree, 'files'), join(tree, 'tmp'), join(tree, 'header')])
    await mkdir(path, { recursive: true });
  await writeTree(target, before);
  for (const [name, content] of Object.entries(files(target)))
    await writeFile(join(tree, 'files', name), content);
  await writeFile(join(tree, 'header/meta-data'), JSON.stringify(metaData ?? {}));
  return {
    /** Runs one call; the power goes before the program of that number, 1 being the first. */
    call: async (module: string, state: string, powerGoesAt = 0): Promise<'done' | 'cut'> => {
      await writeFile(counter, `${powerGoesAt}\n`);
      const child = spawn(join(modules, module), [state, tree], {
        cwd: tree,
        detached: true,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: {
          PATH: `${programs}:${process.env['PATH'] ?? ''}`,
          REAL_PATH: process.env['PATH'] ?? '',
          COUNTER: counter,
          TARGET: target,
          TANDEM_APPLICATIONS_DIR: join(target, 'apps'),
          TEST_CONFIG: join(target, 'configuration/device-config.json'),
          TEST_APPLY_DIR: join(target, 'apply'),
        },
      });
      let complaint = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
      const ended = await new Promise((done) => {
        child.once('close', (code, signal) => done(signal ?? code));
      });
      if (ended === 'SIGKILL') return 'cut';
      assert.equal(ended, 0, `${module} ${state}: ${complaint}`);
      return 'done';
    },
    /** Without what was pulled, which a rollback does not take away. */
    found: async (): Promise<Tree> => {
      const { images: _, ...rest } = await readTree(target, before);
      return rest;
    },
  };
}

describe('a power cut', { concurrency: 2 }, () => {
  for (const situation of situations) {
    const { module, name, before } = situation;
    test(`anywhere in the installation leaves what a rollback undoes (${module}, ${name})`, async () => {
      let cuts = 0;
      for (;;) {
        const board = await device(situation);
        if ((await board.call(module, 'ArtifactInstall', cuts + 1)) === 'done') break;
        cuts += 1;
        await board.call(module, 'ArtifactRollback');
        await board.call(module, 'Cleanup');
        assert.deepEqual(await board.found(), before, `cut before program ${cuts}`);
      }
      assert.ok(cuts >= 5, `only ${cuts} programs were counted`);
    });

    test(`anywhere in the rollback is made good by the next one (${module}, ${name})`, async () => {
      let cuts = 0;
      for (;;) {
        const board = await device(situation);
        await board.call(module, 'ArtifactInstall');
        if ((await board.call(module, 'ArtifactRollback', cuts + 1)) === 'done') break;
        cuts += 1;
        await board.call(module, 'ArtifactRollback');
        await board.call(module, 'Cleanup');
        assert.deepEqual(await board.found(), before, `cut before program ${cuts}`);
      }
      assert.ok(cuts >= 2, `only ${cuts} programs were counted`);
    });
  }
});
