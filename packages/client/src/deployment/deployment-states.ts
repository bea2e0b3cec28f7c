/**
 * The life of an update, as one table: what each state does, what it saves first, where each event leads. State names are those
 * of state scripts and update module calls, so the table, the log and a support ticket speak one language. What a colon adds
 * tells states apart that do the same and lead elsewhere.
 *
 *   does     the action (`deployment-actions.ts`)
 *   saves    the record written, durably, before the action; what a device finds after a power cut (`afterPowerCut` below)
 *   inState  the same for an update started by hand (standalone), in that record's words
 *   outcome  `rollback`: entering means that undoing has begun, or that there is nothing to undo
 *            `kept`: a failure here does not change how the update ends
 * The other columns are events and the state each leads to. The event `stateLoop` leads to StateLoop from everywhere.
 */
// prettier-ignore
export const deploymentStates = {
  // ---- waiting, and asking the server ------------------------------------------------------------------------------------------------------------------------------------------------
  'Idle_Enter':                     { does: 'runEveryScript',                                                                    success: 'Idle',                          failure: 'Idle' },
  'Idle':                           { does: 'waitForWork',                                                                       deploymentPoll: 'Idle_Leave:deployment',  inventoryPoll: 'Idle_Leave:inventory', stop: 'Stopped' },
  'Idle_Leave:deployment':          { does: 'runEveryScript',                                                                    success: 'Sync_Enter:deployment',         failure: 'Sync_Enter:deployment' },
  'Idle_Leave:inventory':           { does: 'runEveryScript',                                                                    success: 'Sync_Enter:inventory',          failure: 'Sync_Enter:inventory' },
  'Sync_Enter:deployment':          { does: 'runScripts',                                                                        success: 'PollForDeployment',             failure: 'Sync_Error' },
  'Sync_Enter:inventory':           { does: 'runScripts',                                                                        success: 'SubmitInventory',               failure: 'Sync_Error' },
  'SubmitInventory':                { does: 'submitInventory',                                                                   success: 'Sync_Leave',                    failure: 'Sync_Error' },
  'PollForDeployment':              { does: 'pollForDeployment',                                                                 success: 'Sync_Leave:download',           failure: 'Sync_Error',                 nothingToDo: 'Sync_Leave' },
  'Sync_Leave':                     { does: 'runScripts',                                                                        success: 'Idle_Enter',                    failure: 'Sync_Error' },
  'Sync_Error':                     { does: 'runEveryScript',                                                                    success: 'Idle_Enter',                    failure: 'Idle_Enter' },
  'Sync_Leave:download':            { does: 'runScripts',                                                                        success: 'ReportDownloading',             failure: 'Sync_Error:download' },
  'Sync_Error:download':            { does: 'runEveryScript',                                                                    success: 'EndOfDeployment',               failure: 'EndOfDeployment' },
  // ---- into storage: nothing of the running system changes ---------------------------------------------------------------------------------------------------------------------------
  'ReportDownloading':              { does: 'reportDownloading',                                                                 success: 'Download_Enter',                failure: 'RollbackNotNeeded',          aborted: 'Cleanup' },
  'Download_Enter':                 { does: 'runScripts',          saves: 'update-store',                                        success: 'Download',                      failure: 'Download_Error' },
  'Download':                       { does: 'download',                                                                          success: 'Download_Leave',                failure: 'Download_Error',             nothingToDo: 'Download_Leave:already-installed' },
  'Download_Leave':                 { does: 'runScripts',                                                                        success: 'ReportInstalling',              failure: 'Download_Error' },
  'Download_Leave:already-installed': { does: 'runScripts',                                                                      success: 'SaveProvides',                  failure: 'Download_Error' },
  'Download_Error':                 { does: 'runEveryScript',                                               outcome: 'kept',     success: 'RollbackNotNeeded',             failure: 'RollbackNotNeeded' },
  'RollbackNotNeeded':              { does: 'nothing',                                                      outcome: 'rollback', success: 'Cleanup' },
  // ---- install -----------------------------------------------------------------------------------------------------------------------------------------------------------------------
  'ReportInstalling':               { does: 'reportInstalling',                                                                  success: 'ArtifactInstall_Enter',         aborted: 'Cleanup' },
  'ArtifactInstall_Enter':          { does: 'runScripts',          saves: 'update-install',   inState: 'ArtifactInstall_Enter',  success: 'ArtifactInstall',               failure: 'ArtifactInstall_Error' },
  'ArtifactInstall':                { does: 'artifactInstall',                                                                   success: 'ArtifactInstall_Leave',         failure: 'ArtifactInstall_Error' },
  'ArtifactInstall_Leave':          { does: 'runScripts',                                                                        success: 'NeedsArtifactReboot',           failure: 'ArtifactInstall_Error' },
  'ArtifactInstall_Error':          { does: 'runEveryScript',                                               outcome: 'kept',     success: 'SupportsRollback',              failure: 'SupportsRollback' },
  // ---- into the new software ---------------------------------------------------------------------------------------------------------------------------------------------------------
  'NeedsArtifactReboot':            { does: 'needsArtifactReboot',                                                               success: 'ReportRebooting',               failure: 'SupportsRollback',           nothingToDo: 'BeforeCommit' },
  'ReportRebooting':                { does: 'reportRebooting',                                                                   success: 'ArtifactReboot_Enter',          aborted: 'SupportsRollback' },
  'ArtifactReboot_Enter':           { does: 'runScripts',          saves: 'reboot',                                              success: 'ArtifactReboot',                failure: 'ArtifactReboot_Error' },
  'ArtifactReboot':                 { does: 'artifactReboot',                                                                    success: 'ArtifactVerifyReboot',          failure: 'ArtifactReboot_Error' },
  'ArtifactVerifyReboot':           { does: 'artifactVerifyReboot', saves: 'after-reboot',                                       success: 'ArtifactReboot_Leave',          failure: 'ArtifactReboot_Error' },
  'ArtifactReboot_Leave':           { does: 'runScripts',                                                                        success: 'BeforeCommit',                  failure: 'ArtifactReboot_Error' },
  'ArtifactReboot_Error':           { does: 'runEveryScript',                                               outcome: 'kept',     success: 'SupportsRollback',              failure: 'SupportsRollback' },
  // ---- commit: after AfterCommit there is no way back --------------------------------------------------------------------------------------------------------------------------------
  'BeforeCommit':                   { does: 'beforeCommit',                                                                      success: 'ReportCommitting',              failure: 'SupportsRollback',           stop: 'Stopped' },
  'ReportCommitting':               { does: 'reportCommitting',                                                                  success: 'ArtifactCommit_Enter',          failure: 'SupportsRollback',           aborted: 'SupportsRollback' },
  'ArtifactCommit_Enter':           { does: 'runScripts',          saves: 'update-commit',    inState: 'ArtifactCommit_Enter',   success: 'ArtifactCommit',                failure: 'ArtifactCommit_Error' },
  'ArtifactCommit':                 { does: 'artifactCommit',                                                                    success: 'AfterCommit',                   failure: 'ArtifactCommit_Error' },
  'ArtifactCommit_Error':           { does: 'runEveryScript',                                               outcome: 'kept',     success: 'SupportsRollback',              failure: 'SupportsRollback' },
  'AfterCommit':                    { does: 'nothing',             saves: 'update-after-commit', inState: 'Before_ArtifactCommit_Leave', success: 'ArtifactCommit_Leave',  failure: 'ArtifactCommit_Error:committed' },
  'ArtifactCommit_Leave':           { does: 'runScripts',                                     inState: 'ArtifactCommit_Leave',   success: 'SaveProvides',                  failure: 'ArtifactCommit_Error:committed' },
  'ArtifactCommit_Error:committed': { does: 'runEveryScript',                                               outcome: 'kept',     success: 'SaveProvides',                  failure: 'SaveProvides' },
  // ---- back to the old software ------------------------------------------------------------------------------------------------------------------------------------------------------
  'SupportsRollback':               { does: 'supportsRollback',                                                                  success: 'ArtifactRollback_Enter',        failure: 'ArtifactFailure_Enter',      nothingToDo: 'ArtifactFailure_Enter' },
  'ArtifactRollback_Enter':         { does: 'runScripts',          saves: 'rollback',         inState: 'ArtifactRollback_Enter', outcome: 'kept', success: 'ArtifactRollback', failure: 'ArtifactRollback' },
  'ArtifactRollback':               { does: 'artifactRollback',                                             outcome: 'rollback', success: 'ArtifactRollback_Leave',        failure: 'ArtifactRollback_Leave:failed' },
  'ArtifactRollback_Leave':         { does: 'runScripts',                                                   outcome: 'kept',     success: 'NeedsRollbackReboot',           failure: 'NeedsRollbackReboot' },
  'ArtifactRollback_Leave:failed':  { does: 'runEveryScript',                                               outcome: 'kept',     success: 'ArtifactFailure_Enter',         failure: 'ArtifactFailure_Enter' },
  'NeedsRollbackReboot':            { does: 'needsRollbackReboot',                                                               success: 'ArtifactRollbackReboot_Enter',  failure: 'ArtifactFailure_Enter',      nothingToDo: 'RollbackSucceeded' },
  'ArtifactRollbackReboot_Enter':   { does: 'runScripts',          saves: 'rollback-reboot',                outcome: 'kept',     success: 'ArtifactRollbackReboot',        failure: 'ArtifactRollbackReboot' },
  'ArtifactRollbackReboot':         { does: 'artifactRollbackReboot',                                       outcome: 'kept',     success: 'ArtifactVerifyRollbackReboot',  failure: 'ArtifactVerifyRollbackReboot' },
  'ArtifactVerifyRollbackReboot':   { does: 'artifactVerifyRollbackReboot', saves: 'verify-rollback-reboot', outcome: 'kept',    success: 'ArtifactRollbackReboot_Leave',  failure: 'ArtifactRollbackReboot',     retry: 'ArtifactRollbackReboot' },
  'ArtifactRollbackReboot_Leave':   { does: 'runScripts',                                                                        success: 'RollbackSucceeded',             failure: 'ArtifactRollbackReboot_Error' },
  'ArtifactRollbackReboot_Error':   { does: 'runEveryScript',                                               outcome: 'kept',     success: 'ArtifactFailure_Enter',         failure: 'ArtifactFailure_Enter' },
  'RollbackSucceeded':              { does: 'nothing',                                                      outcome: 'kept',     success: 'ArtifactFailure_Enter' },
  // ---- the end, good or bad. SaveProvides itself saves `cleanup`, in one write with the provides: a power cut between the two would commit a lie -------------------------------------
  'ArtifactFailure_Enter':          { does: 'runScripts',          saves: 'update-error',     inState: 'ArtifactFailure_Enter',  outcome: 'kept', success: 'ArtifactFailure', failure: 'ArtifactFailure' },
  'ArtifactFailure':                { does: 'artifactFailure',                                              outcome: 'kept',     success: 'ArtifactFailure_Leave',         failure: 'ArtifactFailure_Leave' },
  'ArtifactFailure_Leave':          { does: 'runScripts',                                                   outcome: 'kept',     success: 'SaveProvides',                  failure: 'SaveProvides' },
  'SaveProvides':                   { does: 'saveProvides',                                                                      success: 'Cleanup',                       failure: 'Cleanup' },
  'Cleanup':                        { does: 'cleanup',             saves: 'cleanup',          inState: 'Cleanup',                success: 'ReportOutcome',                 failure: 'ReportOutcome' },
  'StateLoop':                      { does: 'endStateLoop',                                                                      success: 'ReportOutcome',                 failure: 'ReportOutcome' },
  'ReportOutcome':                  { does: 'reportOutcome',                                                outcome: 'kept',     success: 'ClearDeployment',               failure: 'ClearDeployment',            aborted: 'ClearDeployment' },
  'ClearDeployment':                { does: 'clearDeployment',                                              outcome: 'kept',     success: 'EndOfDeployment',               failure: 'EndOfDeployment' },
  'EndOfDeployment':                { does: 'endDeployment',                                                outcome: 'kept',     success: 'Idle_Enter',                    stop: 'Stopped' },
  'Stopped':                        { does: 'nothing' },
} as const satisfies Record<string, DeploymentRow>;

/** What each action may say when it is done; every row must have an edge for each (the types of the table and of the actions follow from this). */
// prettier-ignore
export const actionEvents = {
  nothing:                      ['success'],
  runScripts:                   ['success', 'failure'],
  runEveryScript:               ['success', 'failure'],
  waitForWork:                  ['deploymentPoll', 'inventoryPoll', 'stop'],
  submitInventory:              ['success', 'failure'],
  pollForDeployment:            ['success', 'failure', 'nothingToDo'],
  reportDownloading:            ['success', 'failure', 'aborted'],
  reportInstalling:             ['success', 'aborted'],
  reportRebooting:              ['success', 'aborted'],
  reportCommitting:             ['success', 'failure', 'aborted'],
  reportOutcome:                ['success', 'failure', 'aborted'],
  download:                     ['success', 'failure', 'nothingToDo'],
  artifactInstall:              ['success', 'failure'],
  needsArtifactReboot:          ['success', 'failure', 'nothingToDo'],
  artifactReboot:               ['success', 'failure'],
  artifactVerifyReboot:         ['success', 'failure'],
  beforeCommit:                 ['success', 'failure', 'stop'],
  artifactCommit:               ['success', 'failure'],
  supportsRollback:             ['success', 'failure', 'nothingToDo'],
  artifactRollback:             ['success', 'failure'],
  needsRollbackReboot:          ['success', 'failure', 'nothingToDo'],
  artifactRollbackReboot:       ['success', 'failure'],
  artifactVerifyRollbackReboot: ['success', 'failure', 'retry'],
  artifactFailure:              ['success', 'failure'],
  saveProvides:                 ['success', 'failure'],
  cleanup:                      ['success', 'failure'],
  endStateLoop:                 ['success', 'failure'],
  clearDeployment:              ['success', 'failure'],
  endDeployment:                ['success', 'stop'],
} as const satisfies Record<string, readonly string[]>;

/** How an update stands. It ends well only as `noneFailed`; as `rollbackAttempted` the device is as it was before. */
// prettier-ignore
export const outcomeMoves = {
  // outcome              on a failure or abort         when undoing begins, or nothing needs undoing
  noneFailed:        { failure: 'failed',          rollback: 'rollbackAttempted' },
  failed:            { failure: 'failed',          rollback: 'rollbackAttempted' },
  rollbackAttempted: { failure: 'rollbackFailed',  rollback: 'rollbackAttempted' },
  rollbackFailed:    { failure: 'rollbackFailed',  rollback: 'rollbackFailed' },
} as const satisfies Record<string, { failure: string; rollback: string }>;

/**
 * Where a device goes on that lost power, by the record it finds. What is not proven is rolled back. Names that this client
 * does not write are those of older ones.
 */
// prettier-ignore
export const afterPowerCut = {
  // saved                          goes on at                                the outcome then is
  'update-store':              { at: 'ReportDownloading',            outcome: 'asSaved' },
  'update-install':            { at: 'SupportsRollback',             outcome: 'failed' },
  'reboot':                    { at: 'ArtifactVerifyReboot',         outcome: 'asSaved' },
  'after-reboot':              { at: 'SupportsRollback',             outcome: 'failed' },
  'update-commit':             { at: 'SupportsRollback',             outcome: 'failed' },
  'update-after-commit':       { at: 'AfterCommit',                  outcome: 'asSaved' },
  'update-after-first-commit': { at: 'AfterCommit',                  outcome: 'asSaved' },
  'rollback':                  { at: 'ArtifactRollback_Enter',       outcome: 'rollbackAttempted' },
  'rollback-reboot':           { at: 'ArtifactVerifyRollbackReboot', outcome: 'rollbackAttempted' },
  'after-rollback-reboot':     { at: 'ArtifactVerifyRollbackReboot', outcome: 'rollbackAttempted' },
  'verify-rollback-reboot':    { at: 'ArtifactVerifyRollbackReboot', outcome: 'rollbackAttempted' },
  'update-error':              { at: 'ArtifactFailure_Enter',        outcome: 'asSaved' },
  'cleanup':                   { at: 'Cleanup',                      outcome: 'asSaved' },
} as const satisfies Record<string, { at: DeploymentState; outcome: Outcome | 'asSaved' }>;

/** For a download that was interrupted too often without getting on (`mayStartAgain`): nothing is installed, nothing to roll back. */
export const afterPowerCutInVain = { at: 'Cleanup', outcome: 'rollbackAttempted' } as const;

/** For a record with any other name. */
export const afterPowerCutElsewhere = { at: 'SupportsRollback', outcome: 'failed' } as const;

/** Where each standalone command goes on, by the record it finds; undefined: the command does not fit there. */
// prettier-ignore
export const standaloneEntry = {
  // in state                         resume                             commit                           rollback
  'Before_ArtifactInstall_Enter': { resume: 'ArtifactInstall_Enter',  commit: undefined,               rollback: 'SupportsRollback' },
  'ArtifactInstall_Enter':        { resume: 'SupportsRollback',       commit: undefined,               rollback: 'SupportsRollback' },
  'Before_ArtifactCommit_Enter':  { resume: 'BeforeCommit',           commit: 'ArtifactCommit_Enter',  rollback: 'SupportsRollback' },
  'ArtifactCommit_Enter':         { resume: 'SupportsRollback',       commit: 'ArtifactCommit_Enter',  rollback: 'SupportsRollback' },
  'Before_ArtifactCommit_Leave':  { resume: 'ArtifactCommit_Leave',   commit: undefined,               rollback: 'SupportsRollback' },
  'ArtifactCommit_Leave':         { resume: 'ArtifactCommit_Leave',   commit: undefined,               rollback: undefined },
  'ArtifactRollback_Enter':       { resume: 'ArtifactRollback_Enter', commit: undefined,               rollback: 'ArtifactRollback_Enter' },
  'ArtifactFailure_Enter':        { resume: 'ArtifactFailure_Enter',  commit: undefined,               rollback: undefined },
  'Cleanup':                      { resume: 'Cleanup',                commit: undefined,               rollback: undefined },
} as const satisfies Record<string, Record<'resume' | 'commit' | 'rollback', DeploymentState | undefined>>;

/** Where `--stop-before` may stop, and the record it leaves. */
// prettier-ignore
export const standaloneStops = {
  'ArtifactInstall_Enter':  'Before_ArtifactInstall_Enter',
  'ArtifactCommit_Enter':   'Before_ArtifactCommit_Enter',
  'ArtifactCommit_Leave':   'Before_ArtifactCommit_Leave',
  'ArtifactRollback_Enter': 'ArtifactRollback_Enter',
  'ArtifactFailure_Enter':  'ArtifactFailure_Enter',
  'Cleanup':                'Cleanup',
} as const satisfies Partial<Record<DeploymentState, InState>>;

/** Saves and loads of one deployment's record before it is taken for a loop (client contract 10.4). */
export const stateLoopLimit = 28;

export type DeploymentState = keyof typeof deploymentStates;
export type ActionName = keyof typeof actionEvents;
export type EventOf<A extends ActionName> = (typeof actionEvents)[A][number];
export type DeploymentEvent = EventOf<ActionName> | 'stateLoop';
export type Outcome = keyof typeof outcomeMoves;
export type SavedName = keyof typeof afterPowerCut;
export type InState = keyof typeof standaloneEntry;

interface DeploymentRow {
  readonly does: ActionName;
  readonly saves?: string;
  readonly inState?: string;
  readonly outcome?: 'rollback' | 'kept';
  readonly success?: string;
  readonly failure?: string;
  readonly aborted?: string;
  readonly nothingToDo?: string;
  readonly retry?: string;
  readonly deploymentPoll?: string;
  readonly inventoryPoll?: string;
  readonly stop?: string;
}

/** Each row, as its columns say; for code that goes through them by a computed state. */
export const rowOf = (state: DeploymentState): DeploymentRow & { saves?: SavedName; inState?: InState } =>
  deploymentStates[state];

/** The state an event leads to, or undefined when the table has no such edge. */
export function nextState(state: DeploymentState, event: DeploymentEvent): DeploymentState | undefined {
  if (event === 'stateLoop') return 'StateLoop';
  const row: { does: ActionName } & Partial<Record<DeploymentEvent, DeploymentState>> =
    deploymentStates[state];
  return row[event];
}

/** Compile-time proof that the table is closed: each event an action may say has an edge, and each edge leads to a row. */
type Unclosed = {
  [S in Exclude<DeploymentState, 'Stopped'>]: Exclude<
    EventOf<(typeof deploymentStates)[S]['does']>,
    keyof (typeof deploymentStates)[S]
  > extends never
    ? Exclude<Edge<(typeof deploymentStates)[S]>, DeploymentState> extends never
      ? never
      : S
    : S;
}[Exclude<DeploymentState, 'Stopped'>];
type Edge<Row> = Row[Extract<keyof Row, EventOf<ActionName>>];
true satisfies [Unclosed] extends [never] ? true : Unclosed;
