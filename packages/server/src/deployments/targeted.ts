import type { Actor } from '../actor.ts';
import type { Reader } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { beyondScope, seesDeployment, seesRelease } from '../visibility.ts';
import { sortedIds } from './deployment-target.ts';
import type { WantedDeployment } from './new-deployment.ts';

/** What is asked of other domains to know whom a deployment is for. */
export interface TargetNeeds {
  /** Up to `limit` ids after `after`, sorted by their bytes. */
  readonly acceptedDevices: (
    reader: Reader,
    actor: Actor,
    page: { readonly after: string; readonly limit: number },
  ) => Promise<readonly string[]>;
  /** The accepted ones in the static group. */
  readonly devicesInGroup: (reader: Reader, actor: Actor, group: string) => Promise<readonly string[]>;
  readonly groupOfDevice: (reader: Reader, actor: Actor, deviceId: string) => Promise<string | null>;
}

export interface Targeted {
  /** Each once, sorted as the database compares text. */
  readonly deviceIds: readonly string[];
  readonly groups: readonly string[];
}

const idsPerPage = 2000;

/**
 * Whom a deployment would be for. `betweenPages` lets others have their turn; not inside of a unit of work.
 * Throws `forbidden` for one that the actor would not see, or of a release that he does not see; `badRequest` for nobody.
 */
export async function targeted(
  needs: TargetNeeds,
  reader: Reader,
  actor: Actor,
  wanted: WantedDeployment,
  betweenPages: () => Promise<unknown> = () => Promise.resolve(),
): Promise<Targeted> {
  if (!(await seesRelease(reader, actor, wanted.artifactName))) throw beyondScope();
  const deviceIds = await wantedDevices(needs, reader, actor, wanted, betweenPages);
  const groups = await groupsOf(needs, reader, actor, wanted, deviceIds);
  if (!seesDeployment(actor, { groups })) throw beyondScope();
  if (deviceIds.length === 0) throw new ServerError('badRequest', 'No devices for the deployment');
  return { deviceIds, groups };
}

async function wantedDevices(
  { acceptedDevices, devicesInGroup }: TargetNeeds,
  reader: Reader,
  actor: Actor,
  { devices }: WantedDeployment,
  betweenPages: () => Promise<unknown>,
): Promise<readonly string[]> {
  switch (devices.kind) {
    case 'list':
      return sortedIds(devices.ids);
    case 'group':
      return sortedIds(await devicesInGroup(reader, actor, devices.group));
    case 'all': {
      const all: string[] = [];
      for (let after = ''; ;) {
        const page = await acceptedDevices(reader, actor, { after, limit: idsPerPage });
        all.push(...page);
        const last = page.at(-1);
        if (last === undefined || page.length < idsPerPage) return all;
        after = last;
        await betweenPages();
      }
    }
  }
}

async function groupsOf(
  { groupOfDevice }: TargetNeeds,
  reader: Reader,
  actor: Actor,
  { devices }: WantedDeployment,
  deviceIds: readonly string[],
): Promise<string[]> {
  if (devices.kind === 'group') return [devices.group];
  const [only] = deviceIds;
  if (only === undefined || deviceIds.length > 1) return [];
  const group = await groupOfDevice(reader, actor, only);
  return group === null ? [] : [group];
}
