import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { linuxProcesses } from '../system/linux-processes.ts';
import { toolEnvironment } from './tool-environment.ts';

/** Stand-ins for fw_setenv as its versions read their lines; each keeps a variable a file line `name=value`. */
// prettier-ignore
const versions = {
  // Takes both, as U-Boot's of today.
  'takes both':         'name=${line%%[ =]*}; value=${line#"$name"}; value=${value#?}; put "$name" "$value"',
  // As libubootenv: a line without = is refused.
  'takes = alone':      'case $line in *=*) put "${line%%=*}" "${line#*=}" ;; *) echo "no =" >&2; exit 1 ;; esac',
  // As U-Boot's before 2019: of name=value it finds `name` and removes it.
  'takes spaces alone': 'case $line in *" "*) put "${line%% *}" "${line#* }" ;; *) put "${line%%=*}" "" ;; esac',
  // Takes every line and keeps none.
  'keeps nothing':      ':',
} as const;

const setTool = (rule: string, file: string) => `#!/bin/sh
put() { grep -v "^$1=" '${file}' > '${file}.new'; [ -z "$2" ] || echo "$1=$2" >> '${file}.new'; mv '${file}.new' '${file}'; }
while read -r line; do echo "$line" >> '${file}.lines'; ${rule}; done
`;

async function board(t: TestContext, version: keyof typeof versions, separator: '=' | 'probed' = 'probed') {
  const directory = await mkdtemp(join(tmpdir(), 'tool-environment-'));
  t.after(() => rm(directory, { recursive: true }));
  const at = (name: string) => join(directory, name);
  await writeFile(at('variables'), 'mender_boot_part=2\nupgrade_available=0\n');
  await writeFile(at('print'), `#!/bin/sh\ncat '${at('variables')}'\n`);
  await writeFile(at('set'), setTool(versions[version], at('variables')));
  for (const tool of ['print', 'set']) await chmod(at(tool), 0o755);
  const environment = toolEnvironment(
    linuxProcesses(process.env),
    { print: at('print'), set: at('set'), args: [], separator },
    new AbortController().signal,
  );
  return {
    environment,
    lines: async () => (await readFile(at('variables.lines'), 'utf8')).trim().split('\n'),
  };
}

const turned = { mender_boot_part: '3', upgrade_available: '1' };

describe("the boot environment by the bootloader's tools", () => {
  for (const version of ['takes both', 'takes = alone', 'takes spaces alone'] as const) {
    test(`is written by a tool that ${version}, and no variable is lost on the way`, async (t) => {
      const { environment, lines } = await board(t, version);
      await environment.write(turned);
      await environment.write({ upgrade_available: '0' });
      const variables = await environment.read();
      assert.deepEqual([variables.get('mender_boot_part'), variables.get('upgrade_available')], ['3', '0']);
      const separators = (await lines()).filter((line) => line.startsWith('mender_boot_part'));
      assert.deepEqual(separators, [
        version === 'takes = alone' ? 'mender_boot_part=3' : 'mender_boot_part 3',
      ]);
    });
  }

  test('is probed once where the answer stays', async (t) => {
    const { environment, lines } = await board(t, 'takes spaces alone');
    for (let time = 0; time < 3; time++) await environment.write(turned);
    assert.equal((await lines()).filter((line) => line.startsWith('mender_uboot_separator')).length, 1);
  });

  test('is not probed where the tool is known', async (t) => {
    const { environment, lines } = await board(t, 'takes both', '=');
    await environment.write(turned);
    assert.deepEqual(await lines(), ['mender_boot_part=3', 'upgrade_available=1']);
  });

  test('that does not keep what was written is not believed', async (t) => {
    const { environment } = await board(t, 'keeps nothing');
    await assert.rejects(environment.write(turned), {
      code: 'badBootEnvironment',
      message: /did not store mender_boot_part=3, upgrade_available=1/,
    });
  });
});
