import type { FastifyInstance } from 'fastify';

export interface AnsweredRequest {
  /** Id of the endpoint; undefined for what is none of the contract. */
  readonly endpoint: string | undefined;
  readonly method: string;
  /** The path of the route, with names in place of ids; `other` where there is none, so that nobody can make up new ones. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
  /** Answered by events that go on for as long as somebody listens. */
  readonly isEndless: boolean;
}

/** Reports every request once its answer is out. To be called before routes are registered. */
export function measureRequests(http: FastifyInstance, answered: (request: AnsweredRequest) => void): void {
  http.addHook('onResponse', async (request, reply) => {
    const { endpoint } = request.routeOptions.config;
    answered({
      endpoint: endpoint?.id,
      method: knownMethods.has(request.method) ? request.method : 'other',
      route: endpoint?.path ?? request.routeOptions.url ?? 'other',
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
      isEndless: String(reply.getHeader('content-type')).startsWith('text/event-stream'),
    });
  });
}

const knownMethods = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT']);
