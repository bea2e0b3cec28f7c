import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { assertNothingLost, emptyLedger, writeUntilKilled } from './testing/acknowledged-writes.ts';
import { runServerCommand, startServerProcess } from './testing/server-process.ts';

/** A few each time; `TANDEM_KILL_ROUNDS=50` for whoever has ten minutes. */
const rounds = Number(process.env['TANDEM_KILL_ROUNDS'] ?? 3);
const writers = 8;
/** Between two kills, drawn by lot: from the first device's request on to where all writers have come round a few times. */
const answersBetween = [40, 300] as const;
const user = { email: 'admin@example.com', password: 'correct horse battery' };

test(`a server that is killed ${rounds} times amid writes of every kind has lost nothing it had answered`, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-killed-'));
  const ledger = emptyLedger();
  try {
    await runServerCommand(
      ['user', 'create', '--data-dir', directory, '--email', user.email, '--password-stdin'],
      `${user.password}\n`,
    );
    for (let round = 1; round <= rounds; round += 1) {
      const server = await startServerProcess(directory);
      const own = { url: server.url, userToken: await logIn(server.url) };
      await assertNothingLost(own, ledger);
      const [least, most] = answersBetween;
      const until = ledger.answers + least + Math.random() * (most - least);
      const writing = Promise.all(Array.from({ length: writers }, () => writeUntilKilled(own, ledger)));
      while (ledger.answers < until) await Promise.race([wait(5), writing]);
      // Anywhere within what a write takes.
      await wait(Math.random() * 20);
      assert.equal(await server.end('SIGKILL'), 'SIGKILL');
      await writing;
      const { code, stdout, stderr } = await runServerCommand(['doctor', '--data-dir', directory]);
      assert.equal(code, 0, `round ${round}: ${stdout}${stderr}`);
    }
    const server = await startServerProcess(directory);
    await assertNothingLost({ url: server.url, userToken: await logIn(server.url) }, ledger);
    assert.equal(await server.end('SIGTERM'), 0);
    const { answers, devices, deployments, artifacts } = ledger;
    t.diagnostic(
      `${rounds} rounds, ${answers} answers: ${devices.length} devices, ${deployments.length} deployments, ${artifacts.length} artifacts`,
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

async function logIn(url: string): Promise<string> {
  const answer = await fetch(new URL('/api/management/v1/useradm/auth/login', url), {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${user.email}:${user.password}`).toString('base64')}` },
  });
  assert.equal(answer.status, 200);
  return answer.text();
}
