import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { linuxProcesses } from '../system/linux-processes.ts';
import { canonicalJson, readIdentityData } from './identity-data.ts';

const directory = await mkdtemp(join(tmpdir(), 'identity-data-'));
after(() => rm(directory, { recursive: true }));
const forever = new AbortController().signal;

describe('the identity of a device', () => {
  const processes = linuxProcesses(process.env, 200);
  const script = async (text: string) => {
    const path = join(directory, 'identity');
    await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return await readIdentityData(processes, path, forever);
  };

  test('is canonical JSON, byte for byte, of what the program prints', async () => {
    assert.equal(
      await script(`printf 'sn=1\\nmac=aa:bb\\nsn=2=x\\n\\nname=Größe "q"\\n'`),
      '{"mac":"aa:bb","name":"Größe \\"q\\"","sn":["1","2=x"]}',
    );
    const byBytes = canonicalJson(
      new Map([
        ['\u{1f600}', ['a']],
        ['\uff5e', ['b']],
      ]),
    );
    assert.equal(byBytes, '{"\uff5e":"b","\u{1f600}":"a"}', 'sorted by bytes, not by UTF-16');
  });

  test('cannot be made from a program that fails or prints nothing', async () => {
    for (const text of ['echo a=1; exit 1', 'true', 'echo no-equals-sign', 'kill -9 $$']) {
      await assert.rejects(script(text), { code: 'noIdentity' }, text);
    }
  });
});
