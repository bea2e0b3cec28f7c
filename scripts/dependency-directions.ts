/**
 * Which package may import which. The whole law of ARCHITECTURE.md's "Dependency direction" as data;
 * `check-dependencies.ts` holds the tree to it.
 */
export const mayImport = {
  artifact: [],
  api: [],
  'boot-environment': [],
  server: ['api', 'artifact'],
  client: ['artifact', 'api', 'boot-environment'],
  'artifact-cli': ['artifact'],
  web: ['api'],
  demo: ['api', 'boot-environment'],
  simulator: ['api'],
  image: ['artifact', 'boot-environment'],
} as const satisfies Record<string, readonly string[]>;

/** Packages of which only types may be imported, and by whom: they must not reach the device's bundle. */
export const typesOnly: Readonly<Record<string, readonly string[]>> = { client: ['api'] };
