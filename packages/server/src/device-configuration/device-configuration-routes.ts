import {
  checker,
  deployDeviceConfiguration,
  getDeviceConfiguration,
  getOwnConfiguration,
  NewConfigurationDeployment,
  putDeviceConfiguration,
  reportConfiguration,
} from '@tandem/api';
import { rfc3339 } from '../clock.ts';
import { readJson } from '../http/read-json.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import type { DeviceConfigurations } from './device-configuration.ts';
import { readConfiguration } from './read-configuration.ts';

/** Server contract 6. */
export function registerDeviceConfigurationRoutes(
  register: RegisterRoute,
  configurations: DeviceConfigurations,
): void {
  register(getOwnConfiguration, async ({ actor }) => ({
    status: 200,
    body: (await configurations.get(actor, actor.subject.id)).configured,
  }));

  register(reportConfiguration, async ({ actor, body }) => {
    await configurations.report(actor, actor.subject.id, readConfiguration(body));
    return { status: 204 };
  });

  register(getDeviceConfiguration, async ({ actor, params }) => {
    const found = await configurations.get(actor, params.device_id);
    return {
      status: 200,
      body: {
        id: params.device_id,
        configured: found.configured,
        reported: found.reported,
        ...(found.deploymentId === null ? {} : { deployment_id: found.deploymentId }),
        updated_ts: rfc3339(found.updated),
        ...(found.reportedAt === null ? {} : { reported_ts: rfc3339(found.reportedAt) }),
      },
    };
  });

  register(putDeviceConfiguration, async ({ actor, params, body }) => {
    await configurations.configure(actor, params.device_id, readConfiguration(body));
    return { status: 204 };
  });

  register(deployDeviceConfiguration, async ({ actor, params, body }) => {
    assertDeployable(body);
    return { status: 200, body: { deployment_id: await configurations.deploy(actor, params.device_id) } };
  });
}

const newDeployment = checker(NewConfigurationDeployment);

function assertDeployable(body: Buffer): void {
  const wanted = readJson(body);
  if (!newDeployment.accepts(wanted)) {
    throw new ServerError('badRequest', `invalid request body: ${newDeployment.faults(wanted).join('; ')}`);
  }
  // Checked above to be an object.
  if ('update_control_map' in (wanted as object)) {
    throw new ServerError(
      'forbidden',
      'forbidden: update control map is available only for Enterprise customers',
    );
  }
}
