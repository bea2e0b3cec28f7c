import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { claimDirectory } from './directory-claim.ts';

const parent = await mkdtemp(join(tmpdir(), 'tandem-claim-'));
after(() => rm(parent, { recursive: true }));
const directory = join(parent, 'demo');

test('a second demo leaves the devices of the first alone, until that has ended', async () => {
  await claimDirectory(directory);
  const first = spawn('sleep', ['60']);
  await once(first, 'spawn');
  await writeFile(join(directory, 'demo.pid'), String(first.pid));
  await writeFile(join(directory, 'device'), 'of the first');

  await assert.rejects(claimDirectory(directory), new RegExp(`process ${String(first.pid)}.*--directory`));
  assert.ok(existsSync(join(directory, 'device')));

  first.kill();
  await once(first, 'exit');
  await claimDirectory(directory);
  assert.ok(!existsSync(join(directory, 'device')));
});
