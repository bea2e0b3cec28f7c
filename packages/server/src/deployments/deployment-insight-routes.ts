import {
  getDeploymentFailures,
  getDeviceDeploymentTimeline,
  pageOf,
  planDeployment,
  type PlannedDevice,
} from '@tandem/api';
import { rfc3339 } from '../clock.ts';
import { pagingHeaders } from '../http/paging-headers.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { assertUuid } from '../uuid.ts';
import type { planDeployment as planner, PlannedOutcome } from './deployment-plan.ts';
import type { DeploymentReading } from './deployment-reading.ts';
import { wantedDeployment } from './new-deployment.ts';

/** What users may know before a deployment and after it, beyond the reference. */
export function registerDeploymentInsightRoutes(
  register: RegisterRoute,
  plan: ReturnType<typeof planner>,
  reading: DeploymentReading,
): void {
  register(planDeployment, async ({ actor, body, query, url, signal }) => {
    const page = pageOf(query);
    const { group, ...asked } = body;
    const planned = await plan(actor, wantedDeployment({ name: 'plan', ...asked }, group), page, signal);
    return {
      status: 200,
      headers: pagingHeaders(url, page, { total: planned.targeted }),
      body: {
        artifact_name: body.artifact_name,
        devices_targeted: planned.targeted,
        summary: {
          devices: planned.evaluated,
          installs: Object.fromEntries(planned.installs),
          ...planned.others,
        },
        devices: planned.page.map(({ deviceId, planned: outcome }) => plannedDevice(deviceId, outcome)),
      },
    };
  });

  register(getDeploymentFailures, async ({ actor, params, signal }) => {
    const groups = await reading.failures(actor, assertUuid(params.id), signal);
    return {
      status: 200,
      body: groups.map(({ cause, devices, deviceId }) => ({ cause, devices, device_id: deviceId })),
    };
  });

  register(getDeviceDeploymentTimeline, async ({ actor, params }) => {
    const reports = await reading.timeline(actor, assertUuid(params.id), params.device_id);
    return {
      status: 200,
      body: reports.map(({ attempt, status, substate, time }) => ({
        attempt,
        status,
        ...(substate === null ? {} : { substate }),
        time: rfc3339(time),
      })),
    };
  });
}

function plannedDevice(id: string, planned: PlannedOutcome): PlannedDevice {
  const { outcome } = planned;
  switch (outcome) {
    case 'unknown':
      return { id, outcome, certain: false };
    case 'noartifact':
      return {
        id,
        outcome,
        certain: true,
        unmet: planned.unmet.map(({ artifactId, key, needs, has }) => ({
          artifact_id: artifactId,
          key,
          needs: [...needs],
          has,
        })),
      };
    case 'installs':
    case 'already-installed':
      return { id, outcome, certain: planned.certain, artifact_id: planned.artifactId };
  }
}
