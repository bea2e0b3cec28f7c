import {
  getNextDeployment,
  postNextDeployment,
  postNextDeploymentV2,
  putDeviceDeploymentLog,
  putDeviceDeploymentStatus,
} from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Caller, RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import type { DeviceReports } from './device-reports.ts';
import type { nextUpdate } from './next-update.ts';
import type { Standing } from './nothing-to-do.ts';
import { flatRequest, nestedRequest, type UpdateRequest } from './update-request.ts';

export interface DeviceRouteNeeds {
  readonly updates: ReturnType<typeof nextUpdate>;
  readonly reports: DeviceReports;
  /** False: version 2 of asking for an update is answered with 404, as the open edition of the reference does. */
  readonly answerNextV2: boolean;
}

/** What devices ask and report (server contract 4.8 to 4.10). */
export function registerDeviceDeploymentRoutes(
  register: RegisterRoute,
  { updates, reports, answerNextV2 }: DeviceRouteNeeds,
): void {
  const answer = async (
    { actor, standing }: { readonly actor: Actor; readonly standing: Standing },
    request: UpdateRequest,
  ) => {
    const update = await updates.next(actor, standing, request);
    if (update === 'conflict') throw new ServerError('conflict', 'Device provided conflicting request data');
    return update === 'nothing' ? ({ status: 204 } as const) : ({ status: 200, body: update } as const);
  };
  const isSettled = ({ actor, standing }: Caller) =>
    standing !== undefined && updates.isSettled(actor, standing);

  register(
    getNextDeployment,
    (call) => {
      const { device_type: deviceType, artifact_name: artifactName } = call.query;
      return answer(call, { deviceType, artifactName, provides: null });
    },
    isSettled,
  );
  register(postNextDeployment, (call) => answer(call, flatRequest(call.body)), isSettled);
  register(
    postNextDeploymentV2,
    async (call) => {
      // With a good token: a client then falls back to version 1, which it would do for no other status.
      if (!answerNextV2) throw new ServerError('notFound', 'not found');
      return answer(call, nestedRequest(call.body.device_provides));
    },
    answerNextV2 ? isSettled : undefined,
  );

  register(putDeviceDeploymentStatus, async ({ actor, params, body }) => {
    await reports.status(actor, actor.subject.id, params.id, body.status, body.substate);
    return { status: 204 };
  });

  register(putDeviceDeploymentLog, async ({ actor, params, body }) => {
    await reports.log(actor, actor.subject.id, params.id, body.messages);
    return { status: 204 };
  });
}
