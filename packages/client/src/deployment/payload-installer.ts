import type { PayloadFile, PayloadHeader } from '@tandem/artifact';

/** Answer to NeedsArtifactReboot: not at all, the payload's installer does it itself, or the client runs `reboot`. */
export type RebootAnswer = 'No' | 'Yes' | 'Automatic';

/** The beginning of a payload's only file, as far as it survives a power cut. */
export interface StoredContent {
  /** Where it is, in the installer's own words. */
  readonly target: string;
  readonly bytes: number;
}

/** What the engine wants to know while a file is stored, so that a download can go on after a power cut. */
export interface DownloadProgress {
  /** Whether it is time to make the first `bytes` of the file durable. Asked often. */
  readonly isDue: (bytes: number) => boolean;
  /** They are. */
  readonly stored: (stored: StoredContent) => Promise<void>;
}

/**
 * What the deployment engine asks of whatever installs a payload type: an update module (a program, file protocol v3) or the
 * built-in root file system installer. The method names are those of the update module protocol, in its words.
 *
 * Every method may be called again after a power cut and must then be safe. All throw on failure, honour `signal`, and end
 * within the time the configuration gives (ModuleTimeoutSeconds).
 */
export interface PayloadInstaller {
  /**
   * Consumes every payload file, in order; of one that says `resumedAt`, the rest. An installer that can go on in the middle tells
   * `progress` what it has stored.
   */
  download(
    payload: PayloadHeader,
    files: AsyncIterable<PayloadFile>,
    signal: AbortSignal,
    progress?: DownloadProgress,
  ): Promise<void>;
  /**
   * The content an earlier `download` stored, read back from where it is; undefined when that is no place to go on any more.
   * Installers without it begin anew after a power cut.
   */
  readonly storedContent?: (
    stored: StoredContent,
    signal: AbortSignal,
  ) => Promise<AsyncIterable<Uint8Array> | undefined>;
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
