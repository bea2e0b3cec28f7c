import { ArtifactError } from './errors.ts';
import { limits } from './limits.ts';

const pattern =
  /^Artifact(Install|Reboot|Rollback|RollbackReboot|Commit|Failure)_(Enter|Leave|Error)_[0-9][0-9](_[^\s/\\]+)?$/;

/** Whether a device would run a script of this name (format clause 5.4, the device's anchored form of it). */
export function isStateScriptName(name: string): boolean {
  return pattern.test(name) && Buffer.byteLength(name) <= limits.nameLength && !name.includes('\0');
}

/** Throws `ArtifactError` (forbiddenName). */
export function assertStateScriptName(name: string, member: string): void {
  if (isStateScriptName(name)) return;
  throw new ArtifactError(
    'forbiddenName',
    `"${name}" is no name of a state script; one is like ArtifactInstall_Enter_00 or ArtifactCommit_Leave_50_notify`,
    { member },
  );
}
