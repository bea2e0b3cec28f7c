import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ownProgram } from '@tandem/demo';
import { until } from './until.ts';

/** Setup at a real terminal, a pseudo-terminal that `script` of bsdutils makes, in front of the program as its owner starts it. */
assert.ok(
  existsSync('/usr/bin/script'),
  '/usr/bin/script is missing: install it with "apt-get install bsdutils"',
);
const root = await mkdtemp(join(tmpdir(), 'setup-terminal-'));
after(() => rm(root, { recursive: true }));
const program = join(ownProgram('mender-update'), '..', 'mender');

let made = 0;
/** Types each answer when its question is there; gives what the terminal showed and how the program ended. */
async function atTerminal(dialogue: readonly (readonly [question: RegExp, keys: string])[]) {
  const home = join(root, String((made += 1)));
  const inside = `stty -g; '${process.execPath}' '${program}' setup; echo "ended with $?"; stty -g`;
  const child = spawn('/usr/bin/script', ['-qc', inside, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      MENDER_CONF_DIR: join(home, 'etc'),
      MENDER_DATASTORE_DIR: join(home, 'data'),
      // The name of a server that is not there ends a login that would otherwise leave this machine.
      https_proxy: 'http://127.0.0.1:9',
    },
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  let seen = 0;
  try {
    for (const [question, keys] of dialogue) {
      await until(
        `the terminal shows ${question.source}`,
        async () => {
          const match = question.exec(shown.slice(seen));
          if (match === null) return undefined;
          seen += match.index + match[0].length;
          return true;
        },
        10_000,
      ).catch((error: unknown) => {
        throw new Error(`shown: ${JSON.stringify(shown)}`, { cause: error });
      });
      child.stdin.write(keys);
    }
    await until('the program has ended', async () =>
      /ended with \d+\r\n.+\r\n/.test(shown) ? true : undefined,
    );
  } finally {
    child.stdin.end();
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  const lines = shown.split('\r\n');
  return {
    home,
    shown,
    exitCode: Number(/ended with (\d+)/.exec(shown)?.[1]),
    terminalIsAsBefore: lines[0] !== '' && lines[0] === lines.at(-2),
  };
}

const upToPassword = [
  [/Device type.*\] /, 'my-board\r'],
  [/hosted\.mender\.io.*\] /, 'y\r'],
  [/e-mail.*: /, 'me@example.com\r'],
] as const;

describe('setup at a terminal', () => {
  test('shows what is typed and writes what was said', async () => {
    const { home, shown, exitCode, terminalIsAsBefore } = await atTerminal([
      [/Device type.*\] /, 'my-bord\x7f\x7f\x7foard\r'],
      [/hosted\.mender\.io.*\] /, 'n\r'],
      [/Address.*: /, 'https://updates.example.com\r'],
      [/certificate.*: /, '\r'],
      [/Poll every few seconds.*\] /, 'y\r'],
    ]);
    assert.equal(exitCode, 0, shown);
    assert.match(shown, /https:\/\/updates\.example\.com/);
    assert.match(shown, /Mender setup successfully\./);
    assert.ok(terminalIsAsBefore);
    assert.equal(await readFile(join(home, 'data/device_type'), 'utf8'), 'device_type=my-board\n');
  });

  test('does not show the password', async () => {
    const { shown, home, exitCode, terminalIsAsBefore } = await atTerminal([
      ...upToPassword,
      [/password.*: /, 'secret-word\r'],
      [/Poll every few seconds.*\] /, '\x03'],
    ]);
    assert.match(shown, /me@example\.com/);
    assert.doesNotMatch(shown, /secret|word\r/);
    assert.ok(terminalIsAsBefore);
    assert.equal(exitCode, 1);
    assert.ok(!existsSync(home));
  });

  for (const [name, key] of Object.entries({ 'Ctrl-C': '\x03', 'Ctrl-D': '\x04' })) {
    test(`is called off by ${name} amid the password, with nothing written and the terminal as before`, async () => {
      const { shown, home, exitCode, terminalIsAsBefore } = await atTerminal([
        ...upToPassword,
        [/password.*: /, `secr${name === 'Ctrl-D' ? '\x15' : ''}${key}`],
      ]);
      assert.equal(exitCode, 1, shown);
      assert.match(shown, /Called off: nothing was written\./);
      assert.doesNotMatch(shown, /secr/);
      assert.ok(terminalIsAsBefore, shown);
      assert.ok(!existsSync(home));
    });
  }
});
