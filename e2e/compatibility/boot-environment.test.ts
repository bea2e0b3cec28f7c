import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createUBootEnvironment, parseFwEnvConfig, uBootEnvironment } from '@tandem/boot-environment';

/** Our codec of U-Boot's environment against the real tools, over the same files. */
const tools = { print: '/usr/bin/fw_printenv', set: '/usr/bin/fw_setenv' };
for (const tool of Object.values(tools)) {
  assert.ok(existsSync(tool), `${tool} is missing: install it with "apt-get install libubootenv-tool"`);
}

const directory = await mkdtemp(join(tmpdir(), 'fw-tools-'));
after(() => rm(directory, { recursive: true }));

async function device(name: string, layout: 'twoFiles' | 'oneFile') {
  const [first, second] =
    layout === 'twoFiles'
      ? [`${directory}/${name}-1 0x0 0x4000`, `${directory}/${name}-2 0x0 0x4000`]
      : [`${directory}/${name} 0x2000 0x4000`, `${directory}/${name} 0x8000 0x4000`];
  const config = join(directory, `${name}.config`);
  await writeFile(config, `${first}\n${second}\n`);
  const [one, two] = parseFwEnvConfig(`${first}\n${second}\n`);
  assert.ok(one !== undefined && two !== undefined);
  const copies = [one, two] as const;
  await createUBootEnvironment(copies, { mender_boot_part: '2', mender_boot_part_hex: '2', bootdelay: '3' });
  return {
    ours: uBootEnvironment(copies),
    printed: () => lines(execFileSync(tools.print, ['-c', config], { encoding: 'utf8' })),
    set: (script: string) => execFileSync(tools.set, ['-c', config, '-s', '-'], { input: script }),
  };
}

function lines(text: string): Record<string, string> {
  const pairs = text.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    pairs.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

describe('the real U-Boot environment tools', () => {
  test('are there', (context) => {
    context.diagnostic(execFileSync(tools.print, ['--version'], { encoding: 'utf8' }).trim());
  });

  for (const layout of ['twoFiles', 'oneFile'] as const) {
    test(`read what we write and we read what they write, in turn (${layout})`, async () => {
      const { ours, printed, set } = await device(layout, layout);
      assert.deepEqual(printed(), { mender_boot_part: '2', mender_boot_part_hex: '2', bootdelay: '3' });

      await ours.write({
        mender_boot_part: '3',
        mender_boot_part_hex: '3',
        upgrade_available: '1',
        bootcount: '0',
      });
      assert.deepEqual(printed(), Object.fromEntries(await ours.read()));

      set('bootcount=1\nbootdelay=\nbootcmd=run a; setenv b "c=d"\n');
      assert.deepEqual(Object.fromEntries(await ours.read()), {
        mender_boot_part: '3',
        mender_boot_part_hex: '3',
        upgrade_available: '1',
        bootcount: '1',
        bootcmd: 'run a; setenv b "c=d"',
      });
    });
  }

  test('agree with us about the newer copy through twice around the flag', async () => {
    const { ours, printed, set } = await device('around', 'twoFiles');
    for (let count = 0; count < 520; count++) {
      if (count % 3 === 0) set(`count=${count}\n`);
      else await ours.write({ count: String(count) });
      assert.equal((await ours.read()).get('count'), String(count));
      if (count % 20 === 0 || (count > 245 && count < 265)) assert.equal(printed()['count'], String(count));
    }
  });
});
