import type { BootEnvironment } from './boot-environment.ts';

/** An environment that lives as long as the process: for tests, and for trials on machines without a bootloader. */
export function inMemoryEnvironment(initial: Readonly<Record<string, string>> = {}): BootEnvironment {
  const variables = new Map(Object.entries(initial));
  return {
    read: () => Promise.resolve(new Map(variables)),
    write: (changes) => {
      applyChanges(variables, changes);
      return Promise.resolve();
    },
  };
}

/** The meaning of a write, the same for every kind of environment: an empty value removes. */
export function applyChanges(
  variables: Map<string, string>,
  changes: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') variables.delete(name);
    else variables.set(name, value);
  }
}
