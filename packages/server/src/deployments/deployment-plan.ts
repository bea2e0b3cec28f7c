import { setImmediate as othersTurn } from 'node:timers/promises';
import type { Page } from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { chooseArtifact, unmetDepends, type UnmetDepends } from './choose-artifact.ts';
import type { DeploymentNeeds } from './deployments.ts';
import type { WantedDeployment } from './new-deployment.ts';
import type { DeployableArtifact } from './next-update.ts';
import { targeted, type TargetNeeds } from './targeted.ts';

export interface DeploymentPlanNeeds extends TargetNeeds, Pick<DeploymentNeeds, 'artifactsNamed'> {
  readonly database: Database;
  /** What devices last reported of themselves by these names, as texts; a device that never did is left out. */
  readonly reportedTexts: (
    reader: Reader,
    actor: Actor,
    deviceIds: readonly string[],
    names: readonly string[],
  ) => Promise<ReadonlyMap<string, Readonly<Record<string, string>>>>;
}

export type PlannedOutcome =
  | {
      readonly outcome: 'installs' | 'already-installed';
      readonly certain: boolean;
      readonly artifactId: string;
    }
  | {
      readonly outcome: 'noartifact';
      readonly unmet: readonly (UnmetDepends & { readonly artifactId: string })[];
    }
  | { readonly outcome: 'unknown' };

export interface DeploymentPlan {
  readonly targeted: number;
  /** How many of them were looked at; the summary is of those. */
  readonly evaluated: number;
  readonly installs: ReadonlyMap<string, number>;
  readonly others: Readonly<Record<'already-installed' | 'noartifact' | 'unknown', number>>;
  readonly page: readonly { readonly deviceId: string; readonly planned: PlannedOutcome }[];
}

/** So many devices are looked at for the summary, and so many at once: a plan must not hold up the polls. */
const maxEvaluated = 10_000;
const atOnce = 1000;
const maxExplained = 10;

/**
 * Who would get which artifact, who has it, who cannot and why: by what devices last reported, and by the same choice that is made
 * when they ask. Begins nothing. Throws as creating a deployment does.
 */
export const planDeployment =
  (needs: DeploymentPlanNeeds) =>
  async (
    actor: Actor,
    wanted: WantedDeployment,
    page: Page,
    signal: AbortSignal,
  ): Promise<DeploymentPlan> => {
    const reader = needs.database.searchFor(signal);
    const { deviceIds } = await targeted(needs, reader, actor, wanted, othersTurn);
    const artifacts = await needs.artifactsNamed(reader, actor.tenant, wanted.artifactName);
    if (artifacts.length === 0) throw new ServerError('unprocessable', 'No artifact for the deployment');

    const decisive = [
      ...new Set([
        'artifact_name',
        'device_type',
        ...artifacts.flatMap(({ depends }) => Object.keys(depends)),
      ]),
    ];
    const evaluated = deviceIds.slice(0, maxEvaluated);
    const installs = new Map<string, number>();
    const others = { 'already-installed': 0, noartifact: 0, unknown: 0 };
    // Those that come next are read while these are looked at.
    const read = (start: number) => {
      const reported = reportedBy(evaluated.slice(start, start + atOnce));
      // Awaited in its turn; until then a failure, such as a caller who has gone, must not count as unhandled.
      reported.catch(() => undefined);
      return reported;
    };
    let reading = read(0);
    for (let start = 0; start < evaluated.length; start += atOnce) {
      const reported = await reading;
      reading = read(start + atOnce);
      for (const { planned } of plannedFor(reported)) {
        if (planned.outcome === 'installs')
          installs.set(planned.artifactId, (installs.get(planned.artifactId) ?? 0) + 1);
        else others[planned.outcome] += 1;
      }
      // Others get their turn in between.
      await othersTurn();
    }
    const shown = plannedFor(await reportedBy(deviceIds.slice(page.offset, page.offset + page.perPage)));
    return { targeted: deviceIds.length, evaluated: evaluated.length, installs, others, page: shown };

    async function reportedBy(ids: readonly string[]) {
      const texts = ids.length === 0 ? undefined : await needs.reportedTexts(reader, actor, ids, decisive);
      return ids.map((deviceId) => ({ deviceId, values: texts?.get(deviceId) }));
    }
    function plannedFor(devices: Awaited<ReturnType<typeof reportedBy>>) {
      return devices.map(({ deviceId, values }) => ({
        deviceId,
        planned: outcome(artifacts, values, wanted.forceInstallation),
      }));
    }
  };

function outcome(
  artifacts: readonly DeployableArtifact[],
  values: Readonly<Record<string, string>> | undefined,
  force: boolean,
): PlannedOutcome {
  if (values?.['device_type'] === undefined || values['artifact_name'] === undefined)
    return { outcome: 'unknown' };
  const certain = chooseArtifact(artifacts, { values, complete: true });
  const chosen = certain ?? chooseArtifact(artifacts, { values, complete: false });
  if (chosen === undefined) {
    const provides = { values, complete: true };
    return {
      outcome: 'noartifact',
      unmet: artifacts.slice(0, maxExplained).flatMap((artifact) => {
        const unmet = unmetDepends(artifact, provides);
        return unmet === undefined ? [] : [{ ...unmet, artifactId: artifact.id }];
      }),
    };
  }
  const installed = chosen.name === values['artifact_name'] && !force;
  return {
    outcome: installed ? 'already-installed' : 'installs',
    certain: certain !== undefined,
    artifactId: chosen.id,
  };
}
