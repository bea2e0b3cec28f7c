import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '@tandem/demo';

test('the demo brings version 2 to every device, and every device refuses version 3 by itself', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tandem demo '));
  try {
    const main = join(import.meta.dirname, '..', '..', 'packages', 'demo', 'src', 'main.ts');
    const output = await runProgram(process.execPath, [
      main,
      '--exit',
      '--directory',
      join(directory, 'fleet'),
    ]);
    for (const device of ['device-1', 'device-2', 'device-3']) {
      assert.match(output, new RegExp(`${device} +version 2 +3 +version 3 +demo-2 +success +failure`));
      assert.match(output, new RegExp(`${device} +boots partition 3: version 2, on trial`));
      assert.match(output, new RegExp(`${device} +boots partition 2: version 3, on trial`));
      assert.match(output, new RegExp(`${device} +reports rebooting`));
    }
    assert.match(output, /Every device took version 2, refused version 3 by itself/);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
