import type { KeyObject } from 'node:crypto';
import type { Decompressors } from '@tandem/artifact';
import type { System } from '../system/system.ts';
import type { BuiltInInstallers } from '../update-module/find-installer.ts';

/** What an update needs of the world, whoever started it. */
export interface DeploymentNeeds {
  readonly system: System;
  readonly paths: {
    /** Everything that must outlive an update. */
    readonly datastore: string;
    /** `artifact_info` of an image made for generation 3 of Mender's client. */
    readonly artifactInfo?: string;
    /** State scripts of the root file system. */
    readonly rootfsScripts: string;
    /** Update modules, one file a payload type. */
    readonly modules: string;
    readonly deploymentLogs: string;
  };
  readonly deviceType: () => Promise<string>;
  /** Empty: signatures are not looked at. */
  readonly verificationKeys: readonly KeyObject[];
  readonly decompressors: Decompressors;
  readonly builtInInstallers: BuiltInInstallers;
  readonly limits: {
    readonly stateScriptTimeoutMs: number;
    readonly stateScriptRetryIntervalMs: number;
    readonly stateScriptRetryTimeoutMs: number;
    readonly moduleTimeoutMs: number;
    /** Of payload, unpacked; no limit when not given. */
    readonly payloadBytesPerSecond?: number | undefined;
    /** How long the system may take to end this process after `reboot`; 10 minutes when not given. */
    readonly rebootTimeoutMs?: number;
  };
}
