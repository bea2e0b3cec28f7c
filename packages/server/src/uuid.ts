import { ServerError } from './server-error.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The id in lower case, as it is stored; deployments and artifacts have no other (server contract 1.6). Throws `badRequest`. */
export function assertUuid(id: string): string {
  if (!uuid.test(id)) throw new ServerError('badRequest', 'ID is not a valid UUID');
  return id.toLowerCase();
}
