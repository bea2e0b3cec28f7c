import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commands, flagsOf } from './commands.ts';
import { run } from './test-data/run.ts';

test('help, manual and completion know every command and every flag', async () => {
  const manual = (await run(['--generate-manual'])).stdout;
  const script = (await run(['--generate-completion'])).stdout;
  assert.match(script, /^complete .* mender-artifact$/m);
  assert.match(manual, /^\.TH MENDER-ARTIFACT 1 /);
  for (const [name, command] of Object.entries(commands)) {
    const help = (await run(['help', ...name.split(' ')])).stdout;
    const behind = (await run([...name.split(' '), '--help'])).stdout;
    assert.equal(behind, help);
    assert.match((await run([])).stdout, new RegExp(`^   ${name} `, 'm'));
    const offered = (await run([...name.split(' '), '--generate-bash-completion'])).stdout.split('\n');
    for (const flag of Object.keys(flagsOf(command))) {
      assert.ok(help.includes(`--${flag}`), `help of ${name}: ${flag}`);
      assert.ok(manual.includes(`--${flag}`.replaceAll('-', '\\-')), `manual: ${flag}`);
      assert.ok(offered.includes(`--${flag}`), `completion of ${name}: ${flag}`);
    }
  }
});

test('completion offers commands word by word', async () => {
  const offered = async (...words: string[]) =>
    (await run([...words, '--generate-bash-completion'])).stdout.trim().split('\n');
  assert.deepEqual(await offered('write'), ['rootfs-image', 'module-image', 'bootstrap-artifact']);
  assert.ok((await offered()).includes('validate'));
  assert.equal((await offered()).filter((word) => word === 'write').length, 1);
});

test('no command has two flags of one letter', () => {
  for (const [name, command] of Object.entries(commands)) {
    const letters = Object.values(flagsOf(command)).flatMap(({ short }) =>
      short === undefined ? [] : [short],
    );
    assert.equal(new Set(letters).size, letters.length, name);
  }
});
