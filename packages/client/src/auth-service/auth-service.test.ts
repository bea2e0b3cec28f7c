import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createSecureContext } from 'node:tls';
import { ClientError } from '../client-error.ts';
import type { Bus } from '../d-bus/bus.ts';
import { startTestBus, type TestBus } from '../d-bus/test-bus.ts';
import type { Session } from '../server-connection/authenticate.ts';
import { openRequest } from '../server-connection/open-request.ts';
import { keepSession, type SessionSource } from '../server-connection/session-source.ts';
import { systemClock } from '../system/linux-system.ts';
import { askAuthService } from './ask-auth-service.ts';
import { daemonSessions, onceSessions } from './daemon-sessions.ts';
import { authenticationService } from './mender-interfaces.ts';
import { runAuthDaemon } from './run-auth-daemon.ts';

const open = openRequest({ secureContext: createSecureContext(), verifyServer: true });
const refusal = new ClientError('unauthorized', 'Accept this device on the server.');

/** A server that gives numbered tokens, or not. */
function authority(name: string) {
  const state = { accepts: true, asked: 0 };
  const session = keepSession((): Promise<Session> => {
    state.asked += 1;
    if (!state.accepts) return Promise.reject(refusal);
    return Promise.resolve({ serverUrl: 'https://server.example', token: `${name}.${state.asked}` });
  });
  return { state, session };
}

/** Everything ends with the test. */
function lifetime(context: TestContext): AbortController {
  const life = new AbortController();
  context.after(() => {
    life.abort(new Error('the test is over'));
  });
  return life;
}

function startAuthDaemon(testBus: TestBus, name: string, signal: AbortSignal) {
  const { state, session } = authority(name);
  const log: string[] = [];
  const run = async () =>
    await runAuthDaemon(
      {
        bus: await testBus.connect(),
        session,
        open,
        clock: systemClock,
        log: (level, message) => log.push(`${level}: ${message}`),
        retry: { longestMs: 60_000, count: 0 },
      },
      signal,
    );
  const ended = run();
  // Tests that look at it do so themselves.
  ended.catch(() => undefined);
  return { state, session, log, ended };
}

/** A program's own source of sessions, over a connection of its own. */
async function asker(
  testBus: TestBus,
  signal: AbortSignal,
  limitMs?: number,
): Promise<SessionSource & { bus: Bus }> {
  const bus = await testBus.connect();
  return { bus, ...(await askAuthService(bus, signal, limitMs)) };
}

const nameOwned = async (testBus: TestBus, times = 1) => {
  while (testBus.owners(authenticationService.name).length < times) await new Promise(setImmediate);
};

describe('mender-auth', () => {
  test('authenticates once for all who ask, and anew for one whose token is of no use', async (context) => {
    const testBus = await startTestBus(context);
    const { signal } = lifetime(context);
    const auth = startAuthDaemon(testBus, 'auth', signal);
    await nameOwned(testBus);
    const [one, two] = await Promise.all([asker(testBus, signal), asker(testBus, signal)]);
    const [first, same] = await Promise.all([one.current(signal), two.current(signal)]);
    assert.equal(first.token, same.token);
    assert.match(first.serverUrl, /^http:\/\/127\.0\.0\.1:[0-9]+$/);

    one.drop(first);
    const second = await one.current(signal);
    assert.notEqual(second.token, first.token);
    assert.notEqual(second.serverUrl, first.serverUrl);
    // The other's is of no use either, and there is a new one already.
    const askedBefore = auth.state.asked;
    two.drop(same);
    assert.equal((await two.current(signal)).token, second.token);
    assert.equal(auth.state.asked, askedBefore);
  });

  test('says at once that the device is not accepted, and gives a token as soon as it is', async (context) => {
    const testBus = await startTestBus(context);
    const { signal } = lifetime(context);
    const auth = startAuthDaemon(testBus, 'auth', signal);
    auth.state.accepts = false;
    await nameOwned(testBus);
    const program = await asker(testBus, signal);
    await assert.rejects(program.current(signal), { code: 'unauthorized', message: /mender-auth could not/ });
    assert.match(auth.log.join('\n'), /Accept this device on the server\. Trying again in 60 s\./);
    auth.state.accepts = true;
    assert.match((await program.current(signal)).token, /^auth\./);
  });

  test('is believed only in answer to a call: a signal could be of anyone', async (context) => {
    const testBus = await startTestBus(context);
    const { signal } = lifetime(context);
    const auth = startAuthDaemon(testBus, 'auth', signal);
    auth.state.accepts = false;
    await nameOwned(testBus);
    const program = await asker(testBus, signal);
    const forger = await testBus.connect();
    const waiting = program.current(signal);
    forger.emit(authenticationService.path, {
      interface: authenticationService.interface.name,
      member: 'JwtTokenStateChange',
      signature: 'ss',
      body: ['forged', 'http://evil.example'],
    });
    await assert.rejects(waiting, { code: 'unauthorized' });
  });

  test('that does not answer is given up on after its time', async (context) => {
    const testBus = await startTestBus(context);
    const { signal } = lifetime(context);
    const session = keepSession(() => new Promise<Session>(() => undefined));
    const bus = await testBus.connect();
    const needs = { bus, session, open, clock: systemClock, log: () => undefined };
    runAuthDaemon({ ...needs, retry: { longestMs: 1, count: 0 } }, signal).catch(() => undefined);
    await nameOwned(testBus);
    const program = await asker(testBus, signal, 50);
    await assert.rejects(program.current(signal), {
      code: 'unreachable',
      message: /gave none within 0\.05 s/,
    });
  });

  test('ends with a word when it is not the only one, and when the bus is gone', async (context) => {
    const testBus = await startTestBus(context);
    const { signal } = lifetime(context);
    const first = startAuthDaemon(testBus, 'first', signal);
    await nameOwned(testBus);
    await assert.rejects(startAuthDaemon(testBus, 'second', signal).ended, {
      code: 'busFailed',
      message: /Another program owns io\.mender\.AuthenticationManager/,
    });
    testBus.cut();
    await assert.rejects(first.ended, { code: 'busFailed', message: /closed the connection/ });
  });
});

describe('mender-update', () => {
  test('authenticates for itself and others while there is no mender-auth, and asks it while there is', async (context) => {
    const testBus = await startTestBus(context);
    const { signal } = lifetime(context);
    const own = authority('update');
    const log: string[] = [];
    const update = daemonSessions(
      {
        session: own.session,
        open,
        clock: systemClock,
        log: (_, message) => log.push(message),
        connect: () => testBus.connect(),
      },
      signal,
    );
    assert.equal((await update.current(signal)).token, 'update.1');
    const other = await asker(testBus, signal);
    assert.equal((await other.current(signal)).token, 'update.1');

    const auth = lifetime(context);
    const daemon = startAuthDaemon(testBus, 'auth', auth.signal);
    await nameOwned(testBus, 2);
    while (!log.includes('mender-auth authenticates this device')) await new Promise(setImmediate);
    assert.match((await update.current(signal)).token, /^auth\./);
    assert.equal(own.state.asked, 1);

    auth.abort(new Error('stopped'));
    await daemon.ended;
    while (testBus.owners(authenticationService.name).length > 1) await new Promise(setImmediate);
    while (log.at(-1) !== 'Authenticating for other programs, too') await new Promise(setImmediate);
    assert.equal((await update.current(signal)).token, 'update.2');
  });

  test('does without a bus', async (context) => {
    const { signal } = lifetime(context);
    const { session } = authority('update');
    const log: string[] = [];
    const connect = () => Promise.reject(new Error('there is no bus'));
    const note = (_: string, message: string) => log.push(message);
    const needs = { session, open, clock: systemClock, log: note, connect };
    assert.equal((await daemonSessions(needs, signal).current(signal)).token, 'update.1');
    assert.deepEqual(log, ['Other programs cannot ask this one for tokens: there is no bus']);
    assert.equal((await (await onceSessions(needs, signal)).current(signal)).token, 'update.1');
  });

  test('run once asks mender-auth where it runs, and takes no name where not', async (context) => {
    const testBus = await startTestBus(context);
    const { signal } = lifetime(context);
    const { session } = authority('update');
    const needs = { session, log: () => undefined, connect: () => testBus.connect() };
    assert.equal((await (await onceSessions(needs, signal)).current(signal)).token, 'update.1');
    assert.deepEqual(testBus.owners(authenticationService.name), []);
    startAuthDaemon(testBus, 'auth', signal);
    await nameOwned(testBus);
    assert.match((await (await onceSessions(needs, signal)).current(signal)).token, /^auth\./);
  });
});

describe('a kept session', () => {
  test('is had by one attempt, however many ask; one who gives up does not end it for the others', async () => {
    let attempts = 0;
    const session = keepSession(async (signal) => {
      attempts += 1;
      const number = attempts;
      await new Promise((resolve, reject) => {
        if (number === 1)
          signal.addEventListener('abort', () => {
            reject(new Error('given up'));
          });
        else setImmediate(resolve);
      });
      return { serverUrl: 'https://server.example', token: `token.${number}` };
    });
    const impatient = new AbortController();
    const patient = new AbortController();
    const first = session.current(impatient.signal);
    const others = Promise.all([session.current(patient.signal), session.current(patient.signal)]);
    impatient.abort(new Error('given up'));
    await assert.rejects(first, /given up/);
    assert.deepEqual(
      (await others).map(({ token }) => token),
      ['token.2', 'token.2'],
    );
    assert.equal(attempts, 2);
  });
});
