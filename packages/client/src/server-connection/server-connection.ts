import type { ArtifactRequest } from './resumable-download.ts';

/** Statuses a device reports; the closed set both generations of the protocol use (client contract 9.2). */
export const reportableStatuses = [
  'downloading',
  'installing',
  'rebooting',
  'success',
  'failure',
  'already-installed',
] as const;
export type ReportableStatus = (typeof reportableStatuses)[number];

/** What the server offers in answer to a poll (client contract 9.1), checked. */
export interface DeploymentOffer {
  readonly deploymentId: string;
  readonly artifactName: string;
  readonly deviceTypes: readonly string[];
  readonly uri: string;
}

export interface LogMessage {
  /** RFC 3339, UTC. */
  readonly timestamp: string;
  readonly level: string;
  readonly message: string;
}

export interface InventoryAttribute {
  readonly name: string;
  readonly value: string | readonly string[];
}

/**
 * The server as the daemon sees it. Tokens, the list of servers, a fresh token after a 401 and one retry are matters of the
 * implementation. Each method makes one attempt (download resumes by itself) and throws `ClientError` when it fails; how long
 * to wait before the next attempt is the caller's matter, with `error.retryAfterMs` when the server asked for a time.
 */
export interface ServerConnection {
  nextDeployment(
    deviceProvides: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<DeploymentOffer | 'nothingToDo'>;
  reportStatus(
    deploymentId: string,
    status: ReportableStatus,
    signal: AbortSignal,
  ): Promise<'accepted' | 'aborted'>;
  uploadLog(deploymentId: string, messages: readonly LogMessage[], signal: AbortSignal): Promise<void>;
  submitInventory(attributes: readonly InventoryAttribute[], signal: AbortSignal): Promise<void>;
  /** The artifact's bytes, or the rest of them; a broken connection is resumed by Range (client contract 18). */
  download(request: ArtifactRequest, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** The next request authenticates anew: before commit, the new software must show that it can. */
  forgetToken(): void;
}
