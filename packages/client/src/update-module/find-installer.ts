import { join } from 'node:path';
import { ClientError } from '../client-error.ts';
import type { PayloadInstaller } from '../deployment/payload-installer.ts';
import { requireTrustedProgram } from '../state-script/trusted-program.ts';
import type { Log } from '../system/system.ts';
import type { StreamNeeds } from './stream-payload.ts';
import { updateModule } from './update-module.ts';

/** Where an installer works: its tree, which outlives power cuts, and the deployment's log. */
export interface InstallerPlace {
  /** The work tree; `tmp/` in it is the installer's own. */
  readonly path: string;
  readonly log: Log;
}

export type BuiltInInstallers = Readonly<Record<string, (place: InstallerPlace) => PayloadInstaller>>;

export interface InstallerNeeds extends StreamNeeds {
  readonly modules: string;
  readonly moduleTimeoutMs: number;
  readonly builtIn: BuiltInInstallers;
}

/**
 * The installer of a payload type: the update module of that name, else what is built in. A module put on the device is its
 * owner's word, so it comes first. Throws when there is neither, and for a module that others than root could have written.
 */
export async function findInstaller(
  type: string,
  place: InstallerPlace,
  needs: InstallerNeeds,
): Promise<PayloadInstaller> {
  if (!payloadType.test(type)) {
    throw new ClientError(
      'artifactRefused',
      `The payload type ${JSON.stringify(type)} cannot be the name of an update module`,
    );
  }
  const program = join(needs.modules, type);
  const found = await needs.files.kind(program);
  if (found?.kind === 'file' && found.executable) {
    await requireTrustedProgram(program);
    const module = { program, tree: place.path, timeoutMs: needs.moduleTimeoutMs, log: place.log };
    return updateModule(module, needs);
  }
  const builtIn = Object.hasOwn(needs.builtIn, type) ? needs.builtIn[type] : undefined;
  if (builtIn !== undefined) return builtIn(place);
  throw new ClientError(
    'moduleMissing',
    `Update Module not found for given artifact type: '${type}'. Install an executable ${program}, or deploy an artifact of another type.`,
    { path: program },
  );
}

const payloadType = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
