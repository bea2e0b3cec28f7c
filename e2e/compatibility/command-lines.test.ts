import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ownProgram } from '@tandem/demo';
import { debianProgram } from './debian-programs.ts';
import { makeModuleArtifact, singleFile } from './module-artifact.ts';
import { makeStockDevice } from './stock-device.ts';

/*
 * Every word of `mender` 3.4, said to Debian's and to ours on two devices of the same kind, one after another: how each ends, and
 * what scripts read of it. The words of generation 2, `-install`, have only ours to answer.
 */
const root = await mkdtemp(join(tmpdir(), 'command-lines-'));
after(() => rm(root, { recursive: true }));
const directories = { debian: join(root, 'debian'), ours: join(root, 'ours') };
let artifact = '';

before(async () => {
  await mkdir(directories.debian);
  const { files } = await makeStockDevice({ directory: directories.debian, serverUrl: 'http://127.0.0.1:9' });
  await cp(directories.debian, directories.ours, { recursive: true });
  artifact = await makeModuleArtifact(root, {
    name: 'update-1',
    module: 'single-file',
    files: singleFile('x', 'x', files),
  });
});

function run(who: 'debian' | 'ours', words: readonly string[]) {
  const at = (name: string) => join(directories[who], name);
  const named = words.map((word) => (word === 'ARTIFACT' ? artifact : word));
  const own = [join(ownProgram('mender-update'), '..', 'mender'), ...named];
  const view = 'mount --bind "$1" /etc/mender && shift && exec "$@"';
  const theirs = ['--mount', 'sh', '-c', view, 'sh', at('configuration'), debianProgram('mender').path];
  const [program, args] =
    who === 'ours'
      ? [process.execPath, own]
      : ['unshare', [...theirs, '--data', at('state'), '--no-syslog', ...named]];
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 30_000,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      MENDER_CONF_DIR: at('configuration'),
      MENDER_DATA_DIR: '/usr/share/mender',
      MENDER_DATASTORE_DIR: at('state'),
    },
  });
  return { status, stdout, stderr };
}

interface Row {
  readonly words: readonly string[];
  readonly exit: number;
  /** How ours ends when that is another code, with the reason in docs/compatibility.md. */
  readonly ours?: number;
  /** What both print, wholly, or each in its words. */
  readonly prints?: string | RegExp;
}

// prettier-ignore
const rows: readonly Row[] = [
  { words: [],                                             exit: 0, prints: /^NAME/ },
  { words: ['--help'],                                     exit: 0, prints: /^NAME/ },
  { words: ['help'],                                       exit: 0, prints: /^NAME/ },
  { words: ['help', 'install'],                            exit: 0, prints: /^NAME:?\n +mender install - / },
  { words: ['install', '--help'],                          exit: 0, prints: /^NAME:?\n +mender install - / },
  { words: ['snapshot', 'dump', '--help'],                 exit: 0, prints: /--source/ },
  { words: ['fly'],                                        exit: 3, prints: '' },
  { words: ['--fly', 'show-artifact'],                     exit: 1 },
  { words: ['commit', '--fly'],                            exit: 1 },
  { words: ['install'],                                    exit: 1 },
  { words: ['install', '/nowhere.mender'],                 exit: 1, prints: '' },
  { words: ['show-artifact'],                              exit: 0, prints: 'factory-1\n' },
  { words: ['commit'],                                     exit: 2 },
  { words: ['rollback'],                                   exit: 2 },
  { words: ['check-update'],                               exit: 1, prints: '' },
  { words: ['send-inventory'],                             exit: 1, prints: '' },
  { words: ['snapshot', 'dump', '--source', '/proc'],      exit: 1, prints: '' },
  { words: ['snapshot', 'dump', '--compression', 'rar'],   exit: 1, prints: '' },
  { words: ['install', 'ARTIFACT'],                        exit: 0, prints: /Use 'commit' to update, or 'rollback' to roll back the update\.\n$/ },
  // Debian's installs once more over what waits for its commit.
  { words: ['install', 'ARTIFACT'],                        exit: 0, ours: 1 },
  { words: ['rollback'],                                   exit: 0 },
  { words: ['show-artifact'],                              exit: 0, prints: 'factory-1\n' },
  { words: ['install', '--reboot-exit-code', 'ARTIFACT'],  exit: 0 },
  { words: ['commit'],                                     exit: 0 },
  { words: ['commit'],                                     exit: 2 },
  { words: ['show-artifact'],                              exit: 0, prints: 'update-1\n' },
  { words: ['show-provides'],                              exit: 0, prints: 'artifact_name=update-1\nrootfs-image.single-file.version=update-1\n' },
];

describe('the words of mender 3.4', () => {
  for (const { words, exit, ours = exit, prints } of rows) {
    test(`mender ${words.join(' ')}: ${exit}`, () => {
      for (const [who, code] of [
        ['debian', exit],
        ['ours', ours],
      ] as const) {
        const { status, stdout, stderr } = run(who, words);
        assert.equal(status, code, `${who}: ${stdout}${stderr}`);
        if (typeof prints === 'string') assert.equal(stdout, prints, who);
        else if (prints !== undefined) assert.match(stdout, prints, who);
      }
    });
  }
});

// prettier-ignore
const ofGeneration2: readonly Row[] = [
  { words: ['-version'],                          exit: 0, prints: /^\S+\truntime: / },
  { words: ['-show-artifact'],                    exit: 0, prints: 'update-1\n' },
  { words: ['-install', 'ARTIFACT'],              exit: 0, prints: /Use 'commit' to update/ },
  { words: ['-commit'],                           exit: 0, prints: 'Committed.\n' },
  { words: ['-rootfs', 'ARTIFACT', '-log-level', 'error'], exit: 0 },
  { words: ['-rollback'],                         exit: 0, prints: 'Rolled back.\n' },
  { words: ['--commit'],                          exit: 2 },
  { words: ['-check-update'],                     exit: 1 },
  { words: ['-send-inventory'],                   exit: 1 },
];

describe('the words of generation 2', () => {
  for (const { words, exit, prints } of ofGeneration2) {
    test(`mender ${words.join(' ')}: ${exit}`, () => {
      const { status, stdout, stderr } = run('ours', words);
      assert.equal(status, exit, stdout + stderr);
      if (typeof prints === 'string') assert.equal(stdout, prints);
      else if (prints !== undefined) assert.match(stdout, prints);
    });
  }
});
