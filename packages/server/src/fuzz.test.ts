import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { allEndpoints, openApiDocument } from '@tandem/api';
import * as fc from 'fast-check';
import { fuzzedRequest, operationsOf, type FuzzedRequest, type Operation } from './testing/fuzzed-request.ts';
import { acceptedDevice, startWholeServer, type WholeServer } from './testing/whole-server.ts';

// A few requests an operation each time, by another seed each time; more where somebody has the patience.
const cases = Number(process.env['TANDEM_FUZZ_CASES'] ?? 6);
const seed = Number(process.env['TANDEM_FUZZ_SEED'] ?? randomInt(2 ** 31));
const slowMs = 10_000;

const isEndless = ({ answers }: Operation) => answers.includes('text/event-stream');
const operations = operationsOf(openApiDocument(allEndpoints, '1')).filter((one) => !isEndless(one));

describe(`any request at all, by our own OpenAPI document (TANDEM_FUZZ_SEED=${seed})`, () => {
  let server: WholeServer;
  let known: string[];
  let tokens: { user: string; device: string };
  before(async () => {
    server = await startWholeServer();
    const device = await acceptedDevice(server, { sn: '1' });
    const victim = await acceptedDevice(server, { sn: '2' });
    tokens = { user: server.token, device: device.token };
    known = [victim.id, victim.setId, '0b0f8a1e-6f0c-4f0e-9a53-4f3c51b8e0aa', 'lab', 'accepted', 'name'];
  });
  after(() => server[Symbol.asyncDispose]());

  for (const operation of operations) {
    it(`${operation.method} ${operation.path} is answered, and never by a fault of ours`, async () => {
      for (const request of fc.sample(fuzzedRequest(operation, known), { seed, numRuns: cases })) {
        const answer = await answerTo(request, operation);
        const told = `${JSON.stringify(request)} -> ${answer.status} ${answer.text.slice(0, 500)}`;
        assert.ok(answer.status < 500, `${told}\n${server.logged.slice(-2).join('\n')}`);
        if (answer.status >= 400 && answer.text !== '') {
          assert.equal(typeof (answer.json as { error?: unknown } | undefined)?.error, 'string', told);
        }
        // Some requests end the very session they were made with.
        if (answer.status === 401 && 'userToken' in (operation.security[0] ?? {}))
          tokens.user = await server.logIn();
      }
    });
  }

  it('leaves a server that works', async () => {
    assert.equal((await server.request('GET', '/health')).status, 200);
    const devices = await server.request('GET', '/api/management/v2/devauth/devices', { token: tokens.user });
    assert.equal(devices.status, 200);
  });

  async function answerTo({ method, url, headers, body }: FuzzedRequest, { security }: Operation) {
    const [scheme] = security.flatMap((one) => Object.keys(one));
    const token = scheme === 'userToken' ? tokens.user : scheme === 'deviceToken' ? tokens.device : undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer in time: ${method} ${url}`)), slowMs);
      timer.unref();
    });
    const asked = server.request(method, url, { token, headers, ...(body === undefined ? {} : { body }) });
    return Promise.race([asked, late]);
  }
});
