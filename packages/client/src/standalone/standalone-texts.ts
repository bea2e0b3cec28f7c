import type { DeploymentEvent, DeploymentState } from '../deployment/deployment-states.ts';

/** What happened in one run of a standalone command, as far as the user is told. */
export interface StandaloneStory {
  readonly command: 'install' | 'resume' | 'commit' | 'rollback';
  readonly start: DeploymentState;
  /** The state the run ended before: `Stopped`, or one named with --stop-before. */
  readonly end: DeploymentState;
  readonly events: readonly (readonly [DeploymentState, DeploymentEvent])[];
  readonly rebootWanted: boolean;
}

export interface StandaloneResult {
  /** For stdout, each a line. */
  readonly lines: readonly string[];
  readonly succeeded: boolean;
}

/** The texts of client contract 2.5: up to three lines, before, of and after the operation. */
export function tellStory(story: StandaloneStory): StandaloneResult {
  const happened = (state: DeploymentState, event: DeploymentEvent): boolean =>
    story.events.some(([inState, said]) => inState === state && said === event);
  const failed = (...states: readonly DeploymentState[]): boolean =>
    states.some((state) => happened(state, 'failure'));

  const streamingFailed = failed(
    'Download_Enter',
    'Download',
    'Download_Leave',
    'Download_Leave:already-installed',
  );
  const installFailed = failed(
    'ArtifactInstall_Enter',
    'ArtifactInstall',
    'ArtifactInstall_Leave',
    'NeedsArtifactReboot',
    'BeforeCommit',
  );
  const commitFailed = failed('ArtifactCommit_Enter', 'ArtifactCommit');
  const postCommitFailed = failed('AfterCommit', 'ArtifactCommit_Leave');
  const cleanupFailed = failed('SaveProvides', 'Cleanup', 'ClearDeployment');

  const emptyPayload = happened('Download', 'nothingToDo');
  const committed =
    happened('ArtifactCommit', 'success') ||
    story.start === 'ArtifactCommit_Leave' ||
    (emptyPayload && !streamingFailed);
  const autocommitted = happened('BeforeCommit', 'success') && story.end !== 'ArtifactCommit_Enter';

  const rolledBack = happened('RollbackSucceeded', 'success');
  const rollbackFailed = failed('ArtifactRollback');
  const noRollback = happened('SupportsRollback', 'nothingToDo') || failed('SupportsRollback');
  const anyFailed =
    streamingFailed ||
    installFailed ||
    commitFailed ||
    postCommitFailed ||
    cleanupFailed ||
    rollbackFailed ||
    noRollback;

  const prefix = emptyPayload
    ? 'Artifact with empty payload. Committing immediately.'
    : autocommitted
      ? "Update Module doesn't support rollback. Committing immediately."
      : '';
  const operation = (): string => {
    if (streamingFailed) return 'Streaming failed.';
    if (installFailed) return 'Installation failed.';
    if (commitFailed) return 'Committing failed.';
    if (committed) return emptyPayload || autocommitted ? 'Installed and committed.' : 'Committed.';
    if (story.end === 'ArtifactInstall_Enter') return 'Streamed to storage, but not installed/enabled.';
    if (happened('BeforeCommit', 'stop') || story.end === 'ArtifactCommit_Enter') {
      return "Installed, but not committed.\nUse 'commit' to update, or 'rollback' to roll back the update.";
    }
    if (story.start === 'Cleanup') return 'Cleaned up.';
    return '';
  };
  const rollback = (): string => {
    if (streamingFailed) return 'System not modified.';
    if (rollbackFailed) return 'Rollback failed. System may be in an inconsistent state.';
    if (noRollback) return 'Update Module does not support rollback. System may be in an inconsistent state.';
    return rolledBack ? 'Rolled back.' : '';
  };
  const additional = [
    rollback(),
    postCommitFailed ? 'One or more post-commit steps failed.' : '',
    cleanupFailed ? 'Cleanup failed.' : '',
    story.rebootWanted && !anyFailed
      ? 'At least one payload requested a reboot of the device it updated.'
      : '',
  ];
  return {
    lines: [prefix, operation(), additional.filter((text) => text !== '').join(' ')].filter(
      (text) => text !== '',
    ),
    succeeded: !anyFailed,
  };
}
