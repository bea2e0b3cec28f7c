import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { allEndpoints, openApiDocument } from '@tandem/api';
import { startWholeServer, type WholeServer } from '../testing/whole-server.ts';
import { documentationPage } from './documentation-page.ts';

let server: WholeServer;
before(async () => {
  server = await startWholeServer();
});
after(() => server[Symbol.asyncDispose]());

describe('the interface, as the server tells it', () => {
  it('is its own OpenAPI document, for everybody', async () => {
    const { status, json } = await server.request('GET', '/api/tandem/v1/openapi.json');
    assert.equal(status, 200);
    assert.deepEqual(json, openApiDocument(allEndpoints, '1'));
  });

  it('is a page with every operation, which loads nothing but our style and runs nothing', async () => {
    const { status, headers, text } = await server.request('GET', '/api/tandem/v1/documentation');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(
      headers['content-security-policy'],
      "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    for (const { id, path } of allEndpoints) {
      assert.ok(text.includes(`<details id="${id}">`), id);
      assert.ok(text.includes(`<code>${path}</code>`), path);
    }
    assert.doesNotMatch(text, /<script|<style|style="|onclick|https?:\/\//);
    const style = /<link rel="stylesheet" href="([^"]+)">/.exec(text)?.[1] ?? '';
    const answer = await server.request('GET', style);
    assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'text/css; charset=utf-8']);
  });

  it('is no way for a text to become markup', () => {
    const page = documentationPage(
      {
        openapi: '3.1.0',
        info: { title: '<b>', version: '"', description: '&' },
        tags: [{ name: '<i>' }],
        paths: {
          '/<u>': {
            get: { operationId: 'x', summary: '<s>', tags: ['<i>'], security: [], responses: {} },
          },
        },
      },
      { style: '/s', document: '/d' },
    );
    assert.doesNotMatch(page, /<[bius]>/);
  });
});
