type Presence = 'required' | 'optional';

/** The facts of one operation of the reference's OpenAPI documents: what a client may rely on. */
export interface ReferenceOperation {
  /** `GET /api/management/v2/devauth/devices/{id}` */
  readonly operation: string;
  /** Without 500, which every operation may answer. */
  readonly statuses: readonly number[];
  readonly query?: Readonly<Record<string, Presence>>;
  readonly body?: {
    readonly type: string;
    readonly presence: Presence;
    /** Empty where the body is no object, or one of free keys. */
    readonly fields: Readonly<Record<string, Presence>>;
  };
}

/** Our document, as far as it is compared. */
export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
}

interface OpenApiOperation {
  readonly 'x-aliases'?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: BodySchema }>>;
  };
  readonly responses: Readonly<Record<string, unknown>>;
}

interface BodySchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

/**
 * What a client written for the reference could miss in ours, one line each: `<operation>: <what>`. What ours has beyond the
 * reference is no difference, unless it asks for more.
 */
export function differences(
  reference: readonly ReferenceOperation[],
  { paths }: OpenApiDocument,
): readonly string[] {
  const ours = new Map(
    Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, operation]) =>
        [path, ...(operation['x-aliases'] ?? [])].map(
          (one) => [routeOf(`${method.toUpperCase()} ${one}`), operation] as const,
        ),
      ),
    ),
  );
  return reference.flatMap((wanted) => {
    const route = routeOf(wanted.operation);
    const operation = ours.get(route) ?? [...ours].find(([template]) => covers(template, route))?.[1];
    const found = operation === undefined ? ['absent'] : differencesOf(wanted, operation);
    return found.map((what) => `${wanted.operation}: ${what}`);
  });
}

/** Names of path parameters are nobody's business but the server's. */
const routeOf = (operation: string): string => operation.replaceAll(/\{[^}]+\}/g, '{}');

/** Ours may be the wider one: `/users/{id}` is also `/users/me`. */
function covers(template: string, route: string): boolean {
  const [pieces, given] = [template.split('/'), route.split('/')];
  return (
    pieces.length === given.length && pieces.every((piece, index) => piece === '{}' || piece === given[index])
  );
}

function differencesOf({ statuses, query = {}, body }: ReferenceOperation, ours: OpenApiOperation): string[] {
  const parameters = new Map(
    (ours.parameters ?? []).filter((one) => one.in === 'query').map((one) => [one.name, one.required]),
  );
  return [
    ...statuses
      .filter((status) => !Object.hasOwn(ours.responses, status))
      .map((status) => `never answers ${status}`),
    ...Object.keys(query)
      .filter((name) => !parameters.has(name))
      .map((name) => `ignores query ${name}`),
    ...[...parameters]
      .filter(([name, required]) => required && query[name] !== 'required')
      .map(([name]) => `asks for query ${name}`),
    ...bodyDifferences(body, ours.requestBody),
  ];
}

function bodyDifferences(
  reference: ReferenceOperation['body'],
  ours: OpenApiOperation['requestBody'],
): string[] {
  if (reference === undefined) return ours?.required === true ? ['asks for a body'] : [];
  const content = ours?.content[reference.type];
  if (ours === undefined || content === undefined) return [`takes no ${reference.type}`];
  const { properties, required = [] } = content.schema;
  return [
    ...(ours.required && reference.presence === 'optional' ? ['asks for a body'] : []),
    ...Object.keys(reference.fields)
      .filter((name) => properties !== undefined && !Object.hasOwn(properties, name))
      .map((name) => `ignores field ${name}`),
    ...required
      .filter((name) => reference.fields[name] !== 'required')
      .map((name) => `asks for field ${name}`),
  ];
}
