import { getIntegration, listIntegrationEvents, listIntegrations } from '@tandem/api';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import { assertUuid } from '../uuid.ts';

const none: { id: string }[] = [];

/** Server contract 8, for a server without integrations. */
export function registerIntegrationRoutes(register: RegisterRoute): void {
  register(listIntegrations, async () => ({ status: 200, body: none }));
  register(listIntegrationEvents, async () => ({ status: 200, body: none }));
  register(getIntegration, async ({ params }) => {
    assertUuid(params.id);
    throw new ServerError('notFound', 'integration not found');
  });
}
