/** A tenant's id: 24 hexadecimal digits (server contract 1.6). */
export type Tenant = string;

/** The tenant of a server for one organisation; made by the first migration. */
export const defaultTenant: Tenant = '000000000000000000000001';

export type Subject =
  | { readonly kind: 'user'; readonly id: string }
  | { readonly kind: 'device'; readonly id: string }
  | { readonly kind: 'system'; readonly id: string };

/** What of the tenant an actor may see and touch: lists are filtered by it, not only doors closed. `all` is no bound. */
export interface Scope {
  readonly groups: 'all' | readonly string[];
  readonly tags: 'all' | readonly string[];
}

/** On whose behalf a rule runs; every rule of every domain takes one. */
export interface Actor {
  readonly tenant: Tenant;
  readonly subject: Subject;
  readonly scope: Scope;
}

export const unbounded: Scope = { groups: 'all', tags: 'all' };

/** The server itself: reconcilers, command line, start-up. `id` says which part. */
export const systemActor = (tenant: Tenant, id: string): Actor => ({
  tenant,
  subject: { kind: 'system', id },
  scope: unbounded,
});
