import * as fc from 'fast-check';

/** An operation of our OpenAPI document, as far as requests are made from it. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly parameters: readonly Parameter[];
  readonly body: { readonly contentType: string; readonly schema: JsonSchema } | undefined;
  /** Content types of its answers. */
  readonly answers: readonly string[];
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema: JsonSchema;
}

/** Those words of JSON Schema that our contract uses. */
export interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface FuzzedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly security: Operation['security'];
            readonly parameters?: readonly Parameter[];
            readonly requestBody?: {
              readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>>;
            };
            readonly responses: Readonly<
              Record<string, { readonly content?: Readonly<Record<string, unknown>> }>
            >;
          }
        >
      >
    >
  >;
}

export const operationsOf = (document: unknown): Operation[] =>
  // Our own document: what it is made of stands in open-api.ts.
  Object.entries((document as Document).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const [body] = Object.entries(operation.requestBody?.content ?? {});
      return {
        method: method.toUpperCase(),
        path,
        security: operation.security,
        parameters: operation.parameters ?? [],
        body: body && { contentType: body[0], schema: body[1].schema },
        answers: Object.values(operation.responses).flatMap(({ content }) => Object.keys(content ?? {})),
      };
    }),
  );

/** Requests for one operation: fitting its schemas, nearly fitting, and not at all. `known` are ids of things that are there. */
export function fuzzedRequest(operation: Operation, known: readonly string[]): fc.Arbitrary<FuzzedRequest> {
  const { method, path, parameters, body } = operation;
  const part = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...known) },
    { weight: 1, arbitrary: fc.constantFrom('me', 'storage', 'max_devices', '0', 'x'.repeat(300)) },
    { weight: 2, arbitrary: nastyText },
  );
  const inPath = parameters.filter((one) => one.in === 'path');
  const inQuery = parameters.filter((one) => one.in === 'query');
  return fc
    .record({
      parts: fc.tuple(...inPath.map(() => part)),
      query: fc.tuple(...inQuery.map(({ schema }) => fc.option(queryText(schema, known), { freq: 2 }))),
      stray: fc.option(fc.tuple(nastyText, nastyText), { freq: 8 }),
      sent: body === undefined ? fc.constant(undefined) : bodyOf(body, known),
    })
    .map(({ parts, query, stray, sent }) => {
      const search = new URLSearchParams();
      for (const [index, { name }] of inQuery.entries()) {
        const value = query[index];
        if (value !== null && value !== undefined) search.append(name, value);
      }
      if (stray !== null) search.append(...stray);
      const route = inPath.reduce(
        (url, { name }, index) => url.replace(`{${name}}`, () => encodeURIComponent(parts[index] ?? '')),
        path,
      );
      return {
        method,
        url: search.size === 0 ? route : `${route}?${search.toString()}`,
        headers: sent?.headers ?? {},
        body: sent?.body,
      };
    });
}

/** Well formed, since it goes into a URL; with all that ends strings, lines or statements elsewhere. */
const nastyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 20 }).map((text) => text.toWellFormed()),
  fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.toWellFormed()),
  fc.constantFrom(
    '',
    '\0',
    '%',
    '../..',
    "'; --",
    '\n',
    '\u{10ffff}',
    '__proto__',
    'constructor',
    '-1',
    '1e999',
    'NaN',
    '*',
    '\\',
  ),
);

const queryText = (schema: JsonSchema, known: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(fitting(schema, known).map(asText), nastyText, fc.constantFrom(...known));

const asText = (value: unknown): string =>
  (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toWellFormed();

type Sent = Pick<FuzzedRequest, 'headers' | 'body'>;

function bodyOf(
  { contentType, schema }: NonNullable<Operation['body']>,
  known: readonly string[],
): fc.Arbitrary<Sent | undefined> {
  const right = { 'content-type': contentType };
  if (contentType.startsWith('multipart/')) return multipart(schema, known);
  const json = (value: fc.Arbitrary<unknown>): fc.Arbitrary<Sent> =>
    value.map((one) => ({ headers: right, body: JSON.stringify(one) ?? 'null' }));
  return fc.oneof(
    { weight: 5, arbitrary: json(fitting(schema, known)) },
    { weight: 2, arbitrary: json(nearly(schema, known)) },
    { weight: 2, arbitrary: json(fc.jsonValue({ maxDepth: 3 })) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((body) => ({ headers: right, body })) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom('{"a":1', '[', '"\\ud800"', `${'['.repeat(5000)}`, '{"__proto__":{"a":1}}')
        .map((body) => ({ headers: right, body })),
    },
    {
      weight: 1,
      arbitrary: nastyText.map((text) => ({
        headers: { 'content-type': text.replaceAll(/[^\x20-\x7e]/g, '?') },
        body: '{}',
      })),
    },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

function multipart(schema: JsonSchema, known: readonly string[]): fc.Arbitrary<Sent> {
  const names = Object.keys(schema.properties ?? {});
  const fields = fc.array(
    fc.tuple(fc.constantFrom(...names), fc.oneof(nastyText, fc.constantFrom('single-file', '{}', ...known))),
    { maxLength: 6 },
  );
  return fc
    .record({ fields, file: fc.uint8Array({ maxLength: 600 }), whole: fc.boolean(), isFile: fc.boolean() })
    .map(({ fields: given, file, whole, isFile }) => {
      const last = names.at(-1) ?? 'file';
      const head = given.map(
        ([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
      );
      const disposition = `--b\r\nContent-Disposition: form-data; name="${last}"${isFile ? '; filename="f"' : ''}\r\n\r\n`;
      const pieces = [
        Buffer.from(head.join('') + disposition),
        file,
        Buffer.from(whole ? '\r\n--b--\r\n' : ''),
      ];
      return { headers: { 'content-type': 'multipart/form-data; boundary=b' }, body: Buffer.concat(pieces) };
    });
}

/** Values that the schema takes, for the most part: patterns are not followed. */
function fitting(schema: JsonSchema, known: readonly string[]): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => fitting(one, known)));
  switch (schema.type) {
    case 'string':
      return fc.oneof(fc.constantFrom(...known), nastyText);
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1000, max: schema.maximum ?? 2 ** 31 });
    case 'number':
      return fc.double({ noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(fitting(schema.items ?? {}, known), { maxLength: 4 });
    case 'object': {
      const named = Object.entries(schema.properties ?? {}).map(
        ([key, one]) => [key, fitting(one, known)] as const,
      );
      const [free] = Object.values(schema.patternProperties ?? {});
      if (free !== undefined) return fc.dictionary(nastyText, fitting(free, known), { maxKeys: 4 });
      const requiredKeys = [...(schema.required ?? [])];
      return fc.record(Object.fromEntries(named), { requiredKeys });
    }
    case undefined:
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

/** One value of an object is of another type than it should be. */
const nearly = (schema: JsonSchema, known: readonly string[]): fc.Arbitrary<unknown> =>
  fc
    .tuple(
      fitting(schema, known),
      fc.constantFrom(...Object.keys(schema.properties ?? { any: {} }), 'stray'),
      fc.jsonValue({ maxDepth: 2 }),
    )
    .map(([value, key, other]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? { ...value, [key]: other }
        : [value, other],
    );
