import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { lockDataDirectory } from './data-directory-lock.ts';

it('the data directory is held by one, until it lets go', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-lock-'));
  const path = join(directory, 'serve.lock');
  const unlock = lockDataDirectory(path);
  assert.throws(() => lockDataDirectory(path), { code: 'misuse', message: /held by another server/ });
  unlock();
  lockDataDirectory(path)();
  const together = [lockDataDirectory(path, 'together'), lockDataDirectory(path, 'together')];
  assert.throws(() => lockDataDirectory(path), { code: 'misuse' });
  for (const leave of together) leave();
  const alone = lockDataDirectory(path);
  assert.throws(() => lockDataDirectory(path, 'together'), { code: 'misuse' });
  alone();
  await rm(directory, { recursive: true });
});
