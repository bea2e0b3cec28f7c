import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { socketsOf } from './bus-address.ts';
import { claimName } from './bus-name.ts';
import { connectToBus } from './connect-to-bus.ts';
import { servedInterface } from './served-interfaces.ts';
import { startTestBus, testBusSignal as forever } from './test-bus.ts';

const greeter = {
  name: 'org.example.Greeter',
  methods: { Greet: { takes: { name: 's' }, returns: { greeting: 's' } } },
  signals: { Greeted: { name: 's' } },
} as const;
const at = { destination: 'org.example.Greeter', path: '/greeter', interface: greeter.name };

describe('a program on the bus', () => {
  test('is called by name, answers, and says no where it must', async (context) => {
    const testBus = await startTestBus(context);
    const [server, client] = await Promise.all([testBus.connect(), testBus.connect()]);
    const object = servedInterface(greeter, {
      Greet: (name) => {
        if (name === '') throw new Error('nobody is there');
        return [`Hello ${String(name as string)}`];
      },
    });
    server.serve('/greeter', object);
    await claimName(server, at.destination, 'insisting', () => undefined, forever);

    const greet = { ...at, member: 'Greet', signature: 's', returns: 's' };
    assert.deepEqual(await client.call({ ...greet, body: ['you'] }, forever), ['Hello you']);
    await assert.rejects(client.call({ ...greet, body: [''] }, forever), /Error\.Failed: nobody is there/);
    await assert.rejects(client.call({ ...greet, signature: 'u', body: [1] }, forever), /InvalidArgs/);
    await assert.rejects(client.call({ ...greet, member: 'Bow', body: [''] }, forever), /UnknownMethod/);
    await assert.rejects(client.call({ ...greet, path: '/', body: [''] }, forever), /UnknownObject/);
    await assert.rejects(client.call({ ...greet, returns: 'u', body: ['you'] }, forever), /returned \(s\)/);
    const nobody = { ...greet, destination: 'org.example.Nobody', body: [''] };
    await assert.rejects(client.call(nobody, forever), { code: 'busFailed', message: /ServiceUnknown/ });
  });

  test('can be looked at, and has no properties', async (context) => {
    const testBus = await startTestBus(context);
    const [server, client] = await Promise.all([testBus.connect(), testBus.connect()]);
    server.serve('/greeter', servedInterface(greeter, { Greet: () => [''] }));
    await claimName(server, at.destination, 'insisting', () => undefined, forever);
    const standard = (name: string) => `org.freedesktop.DBus.${name}`;
    const looking = { ...at, interface: standard('Introspectable'), member: 'Introspect', returns: 's' };
    const [description] = await client.call(looking, forever);
    assert.match(String(description as string), /<arg name="greeting" type="s" direction="out"\/>/);
    const properties = { ...at, interface: standard('Properties'), member: 'GetAll' };
    const all = { ...properties, signature: 's', body: [greeter.name], returns: 'a{sv}' };
    assert.deepEqual(await client.call(all, forever), [[]]);
    assert.deepEqual(
      await client.call({ ...at, interface: standard('Peer'), member: 'Ping', returns: '' }, forever),
      [],
    );
  });

  test('fails every call when the bus goes away, says nonsense or does not answer', async (context) => {
    const testBus = await startTestBus(context);
    const silent = await testBus.connect();
    await claimName(silent, at.destination, 'insisting', () => undefined, forever);
    silent.serve('/greeter', () => new Promise(() => undefined));
    const call = { ...at, member: 'Greet', signature: 's', body: [''], returns: 's' };

    const first = await testBus.connect();
    await assert.rejects(first.call(call, AbortSignal.timeout(1)), { name: 'TimeoutError' });
    const gone = first.call(call, forever);
    testBus.cut();
    await assert.rejects(gone, { code: 'busFailed' });
    await assert.rejects(first.call(call, forever), { code: 'busFailed' });

    const second = await testBus.connect();
    testBus.say(Buffer.from('this is not D-Bus at all'));
    assert.match((await second.ended).message, /cannot be read: it begins with no byte order/);
  });

  test('learns who owns a name: who waits gets it, who insists takes it', async (context) => {
    const testBus = await startTestBus(context);
    const heard: string[] = [];
    const claim = async (who: string, how: 'replaceable' | 'insisting') => {
      const bus = await testBus.connect();
      const isOurs = await claimName(
        bus,
        'org.example.One',
        how,
        (now) => heard.push(`${who} ${String(now)}`),
        forever,
      );
      return { bus, isOurs };
    };
    const first = await claim('first', 'replaceable');
    assert.equal(first.isOurs, true);
    const second = await claim('second', 'insisting');
    assert.equal(second.isOurs, true);
    await assert.rejects(claim('third', 'insisting'), /Another program owns org\.example\.One/);
    const gaveWay = heard.filter((line) => line === 'first false').length;
    assert.equal(gaveWay, 1);
    const fourth = await claim('fourth', 'replaceable');
    assert.equal(fourth.isOurs, false);
    assert.equal(testBus.owners('org.example.One').length, 3);
  });
});

describe('the bus', () => {
  test('is where the address says', () => {
    assert.deepEqual(socketsOf('unix:path=/run/a%20b;unix:abstract=c,guid=1;tcp:host=x'), [
      '/run/a b',
      '\0c',
    ]);
    assert.throws(() => socketsOf('tcp:host=localhost,port=1'), /names no Unix socket/);
  });

  test('that is not there is told of by its address', async () => {
    const options = { address: 'unix:path=/nowhere/bus', userId: 0, log: () => undefined };
    await assert.rejects(connectToBus(options, forever), {
      code: 'busFailed',
      message: /Cannot connect to the bus unix:path=\/nowhere\/bus: .*ENOENT/,
    });
  });
});
