import type { Endpoint } from './endpoint.ts';

/** Every module of the contract. A new one is added here, and thereby served in the OpenAPI document and tested. */
const modules: readonly Readonly<Record<string, unknown>>[] = [];

const isEndpoint = (value: unknown): value is Endpoint =>
  typeof value === 'object' && value !== null && 'audience' in value && 'path' in value;

export const allEndpoints: readonly Endpoint[] = modules.flatMap((module) =>
  Object.values(module).filter(isEndpoint),
);
