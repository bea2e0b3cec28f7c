import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildBundle } from '../../build-bundle.ts';

const directory = await mkdtemp(join(tmpdir(), 'flash-'));
after(() => rm(directory, { recursive: true }));
const program = join(directory, 'tandem-update');
before(() => buildBundle(program));

const mebibyte = 1024 * 1024;
const image = randomBytes(2 * mebibyte + 1000);
const input = join(directory, 'image');
before(() => writeFile(input, image));

let made = 0;
const freshOutput = () => join(directory, `output-${(made += 1)}`);

function flash(words: readonly string[], standardInput?: Buffer, nodeOptions: readonly string[] = []) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...nodeOptions, program, 'flash', ...words],
    {
      env: { ...process.env, MENDER_CONF_DIR: directory, MENDER_DATASTORE_DIR: directory },
      timeout: 30_000,
      ...(standardInput === undefined ? {} : { input: standardInput }),
    },
  );
  return { status, said: stdout.toString().trim().split('\n'), complained: stderr.toString() };
}

describe('the command flash', () => {
  test('writes a file, only its owner can read, and then only what differs', async () => {
    const output = freshOutput();
    const first = flash(['-i', input, '-o', output]);
    assert.deepEqual(first.said, [
      'STATISTICS',
      'Blocks written: 3',
      'Blocks omitted: 0',
      `Bytes written: ${image.length}`,
      `Total bytes: ${image.length}`,
    ]);
    assert.deepEqual(await readFile(output), image);
    assert.equal((await stat(output)).mode & 0o777, 0o600);

    const changed = Buffer.from(image);
    changed.writeUInt8(changed.readUInt8(mebibyte) ^ 1, mebibyte);
    await writeFile(output, changed);
    const second = flash(['--input', input, '--output', output, '--fsync-interval', '0']);
    assert.deepEqual(second.said.slice(1), [
      'Blocks written: 1',
      'Blocks omitted: 2',
      `Bytes written: ${mebibyte}`,
      `Total bytes: ${image.length}`,
    ]);
    assert.deepEqual(await readFile(output), image);
  });

  test('writes where there is no memory that could go past the cache', async () => {
    const output = freshOutput();
    const { status, complained } = flash(['-i', input, '-o', output], undefined, ['--jitless']);
    assert.deepEqual({ status, complained }, { status: 0, complained: '' });
    assert.deepEqual(await readFile(output), image);
  });

  test('writes everything when told so', async () => {
    const output = freshOutput();
    await writeFile(output, image);
    const { said, status } = flash(['-w', '-i', input, '-o', output]);
    assert.deepEqual({ said, status }, { said: [`Total bytes written: ${image.length}`], status: 0 });
  });

  test('takes as much of the standard input as it is told, and leaves what lies behind on the device', async () => {
    const output = freshOutput();
    await writeFile(output, Buffer.alloc(5000, 'x'));
    assert.equal(flash(['-i', '-', '-s', '4000', '-o', output], image).status, 0);
    assert.deepEqual(
      await readFile(output),
      Buffer.concat([image.subarray(0, 4000), Buffer.alloc(1000, 'x')]),
    );
  });

  // prettier-ignore
  const refusals = [
    { name: 'an input that is too short',   words: ['-i', '-', '-s', '5000'],         says: /Unexpected end of input!/, input: Buffer.alloc(4999) },
    { name: 'an input of unknown size',     words: ['-i', '-'],                       says: /give it with --input-size/ },
    { name: 'an input that is not there',   words: ['-i', join(directory, 'nothing')], says: /no such file/ },
    { name: 'no input',                     words: [],                                says: /Need --input/ },
    { name: 'a size that is no number',     words: ['-i', input, '-s', '1k'],         says: /--input-size must be a number of bytes/ },
  ];
  for (const { name, words, says, input: standardInput } of refusals) {
    test(`fails for ${name}`, () => {
      const { status, complained } = flash([...words, '-o', freshOutput()], standardInput ?? Buffer.alloc(0));
      assert.equal(status, 1);
      assert.match(complained, says);
    });
  }

  test('ends at once when it is told to while it waits for input', async () => {
    const output = freshOutput();
    const child = spawn(process.execPath, [program, 'flash', '-i', '-', '-s', '10', '-o', output], {
      env: { ...process.env, MENDER_CONF_DIR: directory, MENDER_DATASTORE_DIR: directory },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    child.stdin.write('begun');
    // It is made before the input is read.
    while (!existsSync(output)) await sleep(20);
    child.kill('SIGTERM');
    const [exitCode] = (await once(child, 'exit', { signal: AbortSignal.timeout(10_000) })) as [
      number | null,
    ];
    assert.equal(exitCode, 1);
  });

  test('fails for a character device', () => {
    const { status, complained } = flash(['-i', input, '-o', '/dev/null']);
    assert.equal(status, 1);
    assert.match(complained, /no UBI volume/);
  });
});
