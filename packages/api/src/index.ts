export * from './all-endpoints.ts';
export * from './endpoint.ts';
export * from './errors.ts';
export * from './pagination.ts';
export * from './permissions.ts';
