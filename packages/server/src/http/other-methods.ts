import type { Endpoint } from '@tandem/api';
import type { FastifyInstance } from 'fastify';
import { ServerError } from '../server-error.ts';
import { fastifyPath } from './register-route.ts';

const methods = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'] as const;

/**
 * What is left on the paths of the contract (server contract 1.2, 1.3): OPTIONS is answered with one Allow header a method, any
 * other method with 405. To be called once, after all endpoints are registered.
 */
export function answerOtherMethods(app: FastifyInstance, endpoints: readonly Endpoint[]): void {
  const paths = new Set(
    endpoints.flatMap(({ path, aliases }) => [path, ...(aliases ?? [])]).map(fastifyPath),
  );
  for (const url of paths) {
    const allowed = methods.filter((method) => app.hasRoute({ method, url }));
    if (allowed.length === 0) continue;
    app.route({
      method: 'OPTIONS',
      url,
      handler: async (_request, reply) => reply.header('allow', allowed).send(),
    });
    app.route({
      method: methods.filter((method) => !allowed.includes(method)),
      url,
      handler: async () => {
        throw new ServerError('methodNotAllowed', 'method not allowed', {
          headers: { allow: allowed.join(', ') },
        });
      },
    });
  }
}
