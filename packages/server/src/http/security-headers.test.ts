import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { allEndpoints } from '@tandem/api';
import { startWholeServer, type WholeServer } from '../testing/whole-server.ts';
import { securityHeaders } from './security-headers.ts';

let server: WholeServer;
before(async () => {
  server = await startWholeServer();
});
after(() => server[Symbol.asyncDispose]());

const anyPath = (path: string): string => path.replaceAll(/\{[^}]+\}/g, 'a');

describe('every answer brings the security headers', () => {
  const requests = [
    ...allEndpoints
      .filter(({ id }) => id !== 'streamChanges')
      .map(({ method, path }) => ({ method: String(method), path: anyPath(path) })),
    { method: 'GET', path: '/no/such/path' },
    { method: 'PUT', path: '/health' },
    { method: 'OPTIONS', path: '/health' },
    { method: 'GET', path: '/%zz' },
    { method: 'GET', path: '/' },
    { method: 'GET', path: '/ui/' },
  ];
  for (const token of ['nobody', 'a user'] as const) {
    it(`that ${token} gets`, async () => {
      for (const { method, path } of requests) {
        const { status, headers } = await server.request(
          method,
          path,
          token === 'nobody' ? {} : { token: server.token },
        );
        const said = `${method} ${path}: ${status}`;
        assert.equal(headers['x-content-type-options'], 'nosniff', said);
        assert.match(
          String(headers['content-security-policy']),
          /^default-src 'none'.*frame-ancestors 'none'/,
          said,
        );
        assert.equal(headers['referrer-policy'], 'no-referrer', said);
        assert.equal(headers['x-frame-options'], 'DENY', said);
        assert.notEqual(headers['cache-control'], undefined, said);
      }
    });
  }

  it('and over HTTPS that it is never asked for another way', () => {
    assert.match(
      securityHeaders(true)['strict-transport-security'] ?? '',
      /^max-age=31536000; includeSubDomains/,
    );
    assert.equal(securityHeaders(false)['strict-transport-security'], undefined);
  });
});
