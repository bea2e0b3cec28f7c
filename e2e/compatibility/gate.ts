import { access, rm, writeFile } from 'node:fs/promises';
import { until } from './until.ts';

/** Holds a device still within a state script. */
export interface Gate {
  /** Waits until the device stands before it. */
  reached(): Promise<void>;
  open(): Promise<void>;
}

/** A state script that stands still while the gate at `path` is closed. */
export const gateScript = (path: string): string =>
  `#!/bin/sh\nwhile [ -e '${path}' ]; do : > '${path}.reached'; sleep 0.1; done\n`;

export async function closeGate(path: string): Promise<Gate> {
  await writeFile(path, '');
  return {
    reached: async () => {
      await until(`the device stands before ${path}`, async () =>
        (await exists(`${path}.reached`)) ? true : undefined,
      );
    },
    open: async () => {
      await rm(path);
      await rm(`${path}.reached`, { force: true });
    },
  };
}

export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
