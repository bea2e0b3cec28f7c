import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { generate } from 'selfsigned';
import { accepting, answer, connect, directory, forever, listen, type Handler } from './test-servers.ts';

describe('TLS', () => {
  const made = (name: string, ca?: { key: string; cert: string }) =>
    generate([{ name: 'commonName', value: name }], {
      algorithm: 'sha256',
      keySize: 2048,
      extensions: [
        { name: 'basicConstraints', cA: ca === undefined },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
      ],
      ...(ca === undefined ? {} : { ca }),
    });
  const authority = made('authority');
  const ok: Handler = accepting((_request, _body, response) => answer(response, 204));

  test('trusts the configured certificate beside those of the system, and nobody else', async (context) => {
    const { private: caKey, cert: caCert } = await authority;
    const { private: serverKey, cert } = await made('server', { key: caKey, cert: caCert });
    const server = await listen(context, ok, { key: serverKey, cert });
    const serverCertificate = join(directory, 'ca.pem');
    await writeFile(serverCertificate, caCert);

    const trusting = await connect([server.url], { serverCertificate });
    assert.equal(await trusting.connection.reportStatus('id', 'success', forever), 'accepted');
    const strange = await connect([server.url]);
    await assert.rejects(strange.connection.reportStatus('id', 'success', forever), {
      code: 'unreachable',
      message: /set ServerCertificate/,
    });
    const careless = await connect([server.url], { skipVerify: true });
    assert.equal(await careless.connection.reportStatus('id', 'success', forever), 'accepted');
    assert.match(careless.log.join('\n'), /SkipVerify is set/);
    const broken = await connect([server.url], { serverCertificate: join(directory, 'none.pem') });
    assert.match(broken.log.join('\n'), /warning: ServerCertificate .*none\.pem is not used/);
  });

  test('checks the name of the server', async (context) => {
    const { private: caKey, cert: caCert } = await authority;
    const { private: serverKey, cert } = await made('server', { key: caKey, cert: caCert });
    const server = await listen(context, ok, { key: serverKey, cert });
    const serverCertificate = join(directory, 'ca.pem');
    await writeFile(serverCertificate, caCert);
    const { connection } = await connect([server.url.replace('127.0.0.1', 'localhost')], {
      serverCertificate,
    });
    await assert.rejects(connection.reportStatus('id', 'success', forever), { code: 'unreachable' });
  });

  test('shows a client certificate to a server that asks for one', async (context) => {
    const { private: caKey, cert: caCert } = await authority;
    const [forServer, forClient] = await Promise.all([
      made('server', { key: caKey, cert: caCert }),
      made('client', { key: caKey, cert: caCert }),
    ]);
    const server = await listen(context, ok, { key: forServer.private, cert: forServer.cert, ca: caCert });
    const paths = { serverCertificate: 'ca.pem', clientCertificate: 'client.pem', clientKey: 'client.key' };
    const at = Object.fromEntries(
      Object.entries(paths).map(([name, file]) => [name, join(directory, file)]),
    ) as typeof paths;
    await writeFile(at.serverCertificate, caCert);
    await writeFile(at.clientCertificate, forClient.cert);
    await writeFile(at.clientKey, forClient.private);
    const showing = await connect([server.url], at);
    assert.equal(await showing.connection.reportStatus('id', 'success', forever), 'accepted');
    const hiding = await connect([server.url], { serverCertificate: at.serverCertificate });
    await assert.rejects(hiding.connection.reportStatus('id', 'success', forever), { code: 'unreachable' });
    await assert.rejects(
      connect([server.url], { ...at, clientKey: at.clientCertificate }),
      /Cannot use the client certificate/,
    );
  });
});
