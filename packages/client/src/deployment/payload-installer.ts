import type { PayloadFile, PayloadHeader } from '@tandem/artifact';

/** Answer to NeedsArtifactReboot: not at all, the payload's installer does it itself, or the client runs `reboot`. */
export type RebootAnswer = 'No' | 'Yes' | 'Automatic';

/**
 * What the deployment engine asks of whatever installs a payload type: an update module (a program, file protocol v3) or the
 * built-in root file system installer. The method names are those of the update module protocol, in its words.
 *
 * Every method may be called again after a power cut and must then be safe. All throw on failure, honour `signal`, and end
 * within the time the configuration gives (ModuleTimeoutSeconds).
 */
export interface PayloadInstaller {
  /** Consumes every payload file, in order. */
  download(payload: PayloadHeader, files: AsyncIterable<PayloadFile>, signal: AbortSignal): Promise<void>;
  artifactInstall(signal: AbortSignal): Promise<void>;
  needsArtifactReboot(signal: AbortSignal): Promise<RebootAnswer>;
  artifactReboot(signal: AbortSignal): Promise<void>;
  artifactVerifyReboot(signal: AbortSignal): Promise<void>;
  artifactCommit(signal: AbortSignal): Promise<void>;
  supportsRollback(signal: AbortSignal): Promise<boolean>;
  artifactRollback(signal: AbortSignal): Promise<void>;
  artifactRollbackReboot(signal: AbortSignal): Promise<void>;
  artifactVerifyRollbackReboot(signal: AbortSignal): Promise<void>;
  artifactFailure(signal: AbortSignal): Promise<void>;
  cleanup(signal: AbortSignal): Promise<void>;
}

/** Gives the installer of a payload type, or throws when this device has none. */
export type FindInstaller = (payloadType: string) => Promise<PayloadInstaller>;
