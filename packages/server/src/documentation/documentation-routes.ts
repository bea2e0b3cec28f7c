import {
  allEndpoints,
  getDocumentation,
  getDocumentationStyle,
  getOpenApi,
  openApiDocument,
} from '@tandem/api';
import type { RegisterRoute } from '../http/register-route.ts';
import { documentationPage, type OpenApiFacts } from './documentation-page.ts';
import { documentationStyle } from './documentation-style.ts';

/** The style is a file of ours, and nothing else is loaded or run. */
const contentSecurityPolicy =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The contract changes with the server alone: whoever has it need not ask again for a while. */
const kept = { 'cache-control': 'public, max-age=3600' } as const;

/** Serves the OpenAPI document of all endpoints, and a page that tells it to people. Both are made when first asked for. */
export function registerDocumentationRoutes(register: RegisterRoute): void {
  // Its type is that of any JSON; of what the generator makes of endpoints, this much is known.
  const document = once(() => openApiDocument(allEndpoints, '1') as unknown as OpenApiFacts);
  const page = once(() =>
    documentationPage(document(), {
      style: getDocumentationStyle.path,
      document: getOpenApi.path,
    }),
  );
  register(getOpenApi, async () => ({ status: 200, headers: kept, body: document() }));
  register(getDocumentation, async () => ({
    status: 200,
    headers: { ...kept, 'content-security-policy': contentSecurityPolicy },
    body: page(),
  }));
  register(getDocumentationStyle, async () => ({ status: 200, headers: kept, body: documentationStyle }));
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
