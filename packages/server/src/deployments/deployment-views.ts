import { createHash } from 'node:crypto';
import type {
  Configuration,
  Deployment as DeploymentView,
  DeviceDeployment as DeviceDeploymentView,
  LogMessage,
} from '@tandem/api';
import { rfc3339 } from '../clock.ts';
import { shownFilter } from './deployment-target.ts';
import type { ShownDeployment, ShownPart } from './deployment-reading.ts';

/** A deployment as the API shows it (server contract 4.4). */
export const deploymentView = (deployment: ShownDeployment): DeploymentView => ({
  id: deployment.id,
  name: deployment.name,
  artifact_name: deployment.artifactName,
  created: rfc3339(deployment.created),
  ...(deployment.finished === null ? {} : { finished: rfc3339(deployment.finished) }),
  status: deployment.status,
  device_count: deployment.deviceCount,
  max_devices: deployment.maxDevices,
  artifacts: [...deployment.artifactIds],
  statistics: { status: { ...deployment.statistics }, total_size: deployment.totalSizeBytes },
  ...(deployment.groups.length === 0 ? {} : { groups: [...deployment.groups] }),
  filter: shownFilter(deployment.target, deployment.firstTargets),
  type: deployment.kind,
  ...(deployment.forceInstallation ? { force_installation: true } : {}),
  ...(deployment.configuration === undefined ? {} : { configuration: redacted(deployment.configuration) }),
});

const shownCharacters = 3;

/** Configurations may hold secrets: only the beginnings of their values are shown (server contract 4.4). */
const redacted = (configuration: Configuration): string =>
  Buffer.from(
    JSON.stringify(
      Object.fromEntries(
        Object.entries(configuration).map(([key, value]) => [
          key,
          value.length > shownCharacters ? `${value.slice(0, shownCharacters)}...<omitted>` : value,
        ]),
      ),
    ),
  ).toString('base64');

/** `created` is the deployment's: so the reference has it (server contract 4.6). */
export const deviceDeploymentView = (part: ShownPart): DeviceDeploymentView => ({
  id: part.deviceId,
  created: rfc3339(part.deploymentCreated),
  ...(part.started === null ? {} : { started: rfc3339(part.started) }),
  ...(part.finished === null ? {} : { finished: rfc3339(part.finished) }),
  ...(part.deleted === null ? {} : { deleted: rfc3339(part.deleted) }),
  status: part.status,
  ...(part.substate === null || part.substate === '' ? {} : { substate: part.substate }),
  ...(part.image === undefined ? {} : { image: part.image }),
  log: part.hasLog,
});

/** Of one device's part in a deployment, each attempt its own; in the form of a UUID, as clients expect of an id. */
export const deviceDeploymentId = ({ deploymentId, deviceId, attempt }: ShownPart): string =>
  createHash('sha256')
    .update(JSON.stringify([deploymentId, deviceId, attempt]))
    .digest('hex')
    .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-8$3-8$4-$5');

/** One line a message: instant in UTC, level, text (server contract 4.6). */
export const logText = (messages: readonly LogMessage[]): string =>
  messages.map(({ timestamp, level, message }) => `${goTime(timestamp)} ${level}: ${message}\n`).join('');

/** As Go prints it: `2026-11-21 06:07:08.5 +0000 UTC`, with as many digits of the second as matter, up to nine. */
function goTime(timestamp: string): string {
  const [, fraction = ''] = /\.([0-9]+)/.exec(timestamp) ?? [];
  const seconds = Date.parse(timestamp.replace(/\.[0-9]+/, '').replace(' ', 'T'));
  // A day that is no day was let in by the pattern of the contract: it is shown as it was sent.
  if (Number.isNaN(seconds)) return timestamp;
  const digits = fraction.slice(0, 9).replace(/0+$/, '');
  const [date, time] = rfc3339(seconds).slice(0, 19).split('T');
  return `${date} ${time}${digits === '' ? '' : `.${digits}`} +0000 UTC`;
}
