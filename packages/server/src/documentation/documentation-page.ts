/** What the page needs of an OpenAPI document; it may hold more. */
export interface OpenApiFacts {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly 'x-permission'?: string;
  readonly 'x-aliases'?: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: unknown;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

type Content = Readonly<Record<string, { readonly schema: unknown }>>;

export interface DocumentationLinks {
  readonly style: string;
  readonly document: string;
}

/**
 * The whole interface on one page: operations by subject, each opened by a click on it, with an address of its own (`#listDevices`).
 * There is no script in it, so that the strictest policy may be sent with it.
 */
export function documentationPage(
  document: OpenApiFacts,
  { style, document: source }: DocumentationLinks,
): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const sections = document.tags.map(({ name }) => ({
    name,
    operations: operations.filter(({ operation }) => operation.tags.includes(name)),
  }));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${text(document.info.title)}: interface</title>
<link rel="stylesheet" href="${text(style)}">
</head>
<body>
<nav aria-label="Subjects">
<ul>
${sections.map(({ name, operations: { length } }) => `<li><a href="#${anchor(name)}">${text(name)}</a> ${length}</li>`).join('\n')}
</ul>
</nav>
<main>
<h1>${text(document.info.title)}, version ${text(document.info.version)}</h1>
<p>${text(document.info.description)} <a href="${text(source)}">As an OpenAPI document</a>.</p>
${sections.map(section).join('\n')}
</main>
</body>
</html>
`;
}

interface Named {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const section = ({
  name,
  operations,
}: {
  readonly name: string;
  readonly operations: readonly Named[];
}): string =>
  `<section id="${anchor(name)}">\n<h2>${text(name)}</h2>\n${operations.map(details).join('\n')}\n</section>`;

function details({ method, path, operation }: Named): string {
  const { operationId, summary, requestBody, responses, parameters = [] } = operation;
  return `<details id="${text(operationId)}">
<summary><b class="${method.toLowerCase()}">${method}</b> <code>${text(path)}</code> <span>${text(summary)}</span></summary>
<p>${whoMayCall(operation)} <a href="#${text(operationId)}">Link to this</a>.</p>
${(operation['x-aliases'] ?? []).map((alias) => `<p>Also at <code>${text(alias)}</code>.</p>`).join('\n')}
${
  parameters.length === 0
    ? ''
    : `<h3>Parameters</h3>\n${table(
        ['name', 'in', 'required', 'schema'],
        parameters.map((parameter) => [
          code(parameter.name),
          text(parameter.in),
          parameter.required ? 'yes' : 'no',
          schema(parameter.schema),
        ]),
      )}`
}
${requestBody === undefined ? '' : `<h3>Request</h3>\n${table(['content', 'schema'], contents(requestBody.content))}`}
<h3>Answers</h3>
${table(
  ['status', 'meaning', 'content'],
  Object.entries(responses).map(([status, { description, content = {} }]) => [
    status,
    text(description),
    contents(content)
      .map((cells) => cells.join(' '))
      .join(''),
  ]),
)}
</details>`;
}

const audiences: Readonly<Record<string, string>> = {
  userToken: 'For a user with their token',
  deviceToken: 'For a device with its token',
  internalToken: 'For processes of the server',
};

function whoMayCall({ security, 'x-permission': permission }: Operation): string {
  const audience = security.flatMap((scheme) => Object.keys(scheme)).map((name) => audiences[name] ?? name);
  const needs = permission === undefined ? '' : `, who needs the permission ${code(permission)}`;
  return `${audience.length === 0 ? 'For everybody' : audience.map(text).join(', ')}${needs}.`;
}

const contents = (content: Content): string[][] =>
  Object.entries(content).map(([type, { schema: described }]) => [code(type), schema(described)]);

const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<table>\n<tr>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr>\n` +
  `${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('\n')}\n</table>`;

/** What fits in a line is told in it, the rest when it is asked for. */
function schema(described: unknown): string {
  const short = JSON.stringify(described) ?? '';
  if (short.length <= 80) return code(short);
  return `<details><summary>schema</summary><pre>${text(JSON.stringify(described, null, 2))}</pre></details>`;
}

const anchor = (name: string): string =>
  `subject-${text(name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase())}`;

const code = (content: string): string => `<code>${text(content)}</code>`;

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const text = (content: string): string =>
  content.replaceAll(/[&<>"]/g, (character) => entities[character] ?? '');
