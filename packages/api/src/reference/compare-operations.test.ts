import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { allEndpoints } from '../all-endpoints.ts';
import { openApiDocument } from '../open-api.ts';
import { allowedDifferences } from './allowed-differences.ts';
import { differences, type OpenApiDocument, type ReferenceOperation } from './compare-operations.ts';

// Facts of the public operations of the reference's OpenAPI documents, one a line; what its services ask each other is left out.
const lines = await readFile(new URL('../../reference/operations.jsonl', import.meta.url), 'utf8');
const reference = lines
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as ReferenceOperation);
const ours = openApiDocument(allEndpoints, '1') as unknown as OpenApiDocument;

describe('our contract beside the reference', () => {
  it('differs in nothing but what is allowed, and all that is allowed still differs', () => {
    const allowed = allowedDifferences.flatMap(({ operations, differs }) =>
      operations.flatMap((operation) => differs.map((what) => `${operation}: ${what}`)),
    );
    assert.deepEqual(differences(reference, ours).toSorted(), allowed.toSorted());
  });

  it('tells each kind of difference', () => {
    const wanted: ReferenceOperation = {
      operation: 'POST /things/{thing_id}',
      statuses: [201, 409],
      query: { page: 'optional' },
      body: {
        type: 'application/json',
        presence: 'optional',
        fields: { name: 'required', size: 'optional' },
      },
    };
    const given: OpenApiDocument = {
      paths: {
        '/things/{id}': {
          post: {
            parameters: [{ name: 'colour', in: 'query', required: true }],
            requestBody: {
              required: true,
              content: {
                'application/json': { schema: { properties: { name: {}, kind: {} }, required: ['kind'] } },
              },
            },
            responses: { 201: {} },
          },
        },
      },
    };
    assert.deepEqual(
      differences([wanted], given).map((line) => line.split(': ')[1]),
      [
        'never answers 409',
        'ignores query page',
        'asks for query colour',
        'asks for a body',
        'ignores field size',
        'asks for field kind',
      ],
    );
    assert.deepEqual(differences([{ operation: 'GET /things/{id}', statuses: [200] }], given), [
      'GET /things/{id}: absent',
    ]);
  });
});
