import type { DeploymentStatus } from './deployment-status.ts';
import type { DeviceDeploymentStatus } from './device-deployment-statuses.ts';

export interface DeploymentTables {
  deployments: {
    tenant: string;
    id: string;
    name: string;
    artifact_name: string;
    kind: 'software' | 'configuration';
    /** Unique per tenant: the order in which deployments are offered is total. */
    created: number;
    finished: number | null;
    aborted: number | null;
    /** `preparing`: its targets are being written, and nobody is to see it yet. */
    status: DeploymentStatus | 'preparing';
    /** 0 once finished; what a poll looks through. */
    active: 0 | 1;
    /** How many devices were targeted. */
    max_devices: number;
    /** How many of them have asked. */
    device_count: number;
    force_installation: 0 | 1;
    /** JSON of `DeploymentTarget`. */
    target: string;
    /** JSON list of group names shown with the deployment. */
    group_names: string;
    /** Of what was asked for, while active: the same deployment cannot run twice at once. */
    fingerprint: string | null;
    total_size_bytes: number;
  };
  /** The targeted devices: sorted ids, a few hundred a row, each with a line end before and behind it. */
  deployment_targets: {
    tenant: string;
    deployment_id: string;
    first_device_id: string;
    last_device_id: string;
    device_ids: string;
  };
  deployment_phases: {
    tenant: string;
    deployment_id: string;
    phase: number;
    /** Percent of the devices; null is the rest. */
    batch_size: number | null;
    starts: number;
  };
  deployment_artifacts: { tenant: string; deployment_id: string; artifact_id: string };
  /** Of a deployment of kind `configuration`: what it brings, as JSON. */
  deployment_configurations: { tenant: string; deployment_id: string; configuration: string };
  deployment_statistics: {
    tenant: string;
    deployment_id: string;
    status: DeviceDeploymentStatus;
    devices: number;
  };
  /** No row before the device has asked. */
  device_deployments: {
    tenant: string;
    deployment_id: string;
    device_id: string;
    /** From 1; a new one begins when the device is offered the same deployment again. */
    attempt: number;
    deployment_created: number;
    status: DeviceDeploymentStatus;
    active: 0 | 1;
    started: number | null;
    finished: number | null;
    /** Taken out of the device's history, so that it may be offered the deployment again. */
    deleted: number | null;
    substate: string | null;
    artifact_id: string | null;
    /** JSON of the `UpdateRequest` first made; null before the device asked. */
    request: string | null;
    has_log: 0 | 1;
  };
  /** What became of a device's part, one row a change of status. */
  device_status_reports: {
    tenant: string;
    deployment_id: string;
    device_id: string;
    attempt: number;
    /** From 1, without a gap; the oldest are removed when there are too many. */
    position: number;
    status: DeviceDeploymentStatus;
    substate: string | null;
    time: number;
  };
  /** `messages` is a JSON list, as the device sent it. */
  device_deployment_logs: {
    tenant: string;
    deployment_id: string;
    device_id: string;
    attempt: number;
    messages: string;
  };
  /** The first error of a log, as failure-cause.ts makes it; apart from the logs, which are long. */
  device_failure_causes: {
    tenant: string;
    deployment_id: string;
    device_id: string;
    attempt: number;
    cause: string;
  };
}
