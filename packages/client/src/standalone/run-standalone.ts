import { ClientError } from '../client-error.ts';
import type { DeploymentNeeds } from '../deployment/deployment-needs.ts';
import {
  changeDeployment,
  newDeploymentRun,
  recordOf,
  type DeploymentRun,
} from '../deployment/deployment-run.ts';
import {
  standaloneEntry,
  standaloneStops,
  type DeploymentEvent,
  type DeploymentState,
} from '../deployment/deployment-states.ts';
import { runDeployment } from '../deployment/run-deployment.ts';
import { fromStandaloneRecord } from '../deployment/saved-deployment.ts';
import { updateLock } from '../provides-store/update-lock.ts';
import { installBootstrapArtifact } from './bootstrap-artifact.ts';
import { openArtifact, withPercent, type ArtifactSource, type ArtifactSources } from './open-artifact.ts';
import { standaloneActions } from './standalone-actions.ts';
import { tellStory } from './standalone-texts.ts';

export type StandaloneCommand =
  | {
      readonly name: 'install';
      /** A file, an http(s) address, or `-` for the standard input. */
      readonly artifact: string;
      readonly stopBefore: readonly string[];
      readonly rebootExitCode: boolean;
    }
  | { readonly name: 'resume'; readonly stopBefore: readonly string[]; readonly rebootExitCode: boolean }
  | { readonly name: 'commit' | 'rollback'; readonly stopBefore: readonly string[] };

export interface StandaloneNeeds extends DeploymentNeeds, ArtifactSources {
  /** One line of stdout. */
  readonly print: (line: string) => void;
  /** To stderr as it stands. */
  readonly printProgress: (text: string) => void;
}

/** 0 done, 1 failed, 2 nothing in progress, 4 done and a reboot is wanted (client contract 2.4). */
export type StandaloneExitCode = 0 | 1 | 2 | 4;

/**
 * Runs one standalone command and gives its exit code. Throws `ClientError` for a command that was refused, with nothing changed:
 * another update is in progress, the command does not fit its state, the artifact cannot be opened.
 */
export async function runStandalone(
  command: StandaloneCommand,
  needs: StandaloneNeeds,
  signal: AbortSignal,
): Promise<StandaloneExitCode> {
  const stops = command.stopBefore.map(supportedStop);
  const release = await updateLock(needs.paths.datastore)();
  if (release === 'heldByOther') {
    throw new ClientError(
      'updateInProgress',
      'Another update is running on this device. Wait for it to end.',
    );
  }
  try {
    return await runHoldingLock(command, stops, needs, signal);
  } finally {
    await release();
  }
}

async function runHoldingLock(
  command: StandaloneCommand,
  stops: readonly DeploymentState[],
  needs: StandaloneNeeds,
  signal: AbortSignal,
): Promise<StandaloneExitCode> {
  const events: [DeploymentState, DeploymentEvent][] = [];
  const install = command.name === 'install' ? openOnce(command.artifact, needs) : undefined;
  const run: DeploymentRun = {
    ...newDeploymentRun(needs, 'standalone', (stop) => install?.content(stop) ?? nothing()),
    observe: (state, event) => events.push([state, event]),
  };
  const start = await startState(command, run, needs, signal);
  if (start === undefined) {
    needs.print('No update in progress.');
    return 2;
  }
  await install?.open(signal);
  if (command.name === 'install') needs.print('Installing artifact...');

  const end = await runDeployment(run, start, standaloneActions, signal, async (state) => {
    if (!stops.includes(state)) return false;
    await run.store.update(recordOf(run, standaloneStops[state as keyof typeof standaloneStops]));
    return true;
  });

  const reboot = run.deployment?.payloads.some(
    (payload) => payload.reboot !== undefined && payload.reboot !== 'No',
  );
  const asked = events.some(([state, event]) => state === 'NeedsArtifactReboot' && event !== 'failure');
  const rebootWanted = asked && reboot === true;
  const { lines, succeeded } = tellStory({ command: command.name, start, end, events, rebootWanted });
  for (const line of lines) needs.print(line);
  if (!succeeded) return 1;
  return rebootWanted && 'rebootExitCode' in command && command.rebootExitCode ? 4 : 0;
}

/** Where the command begins, with the deployment set up; undefined when there is none to go on with. */
async function startState(
  command: StandaloneCommand,
  run: DeploymentRun,
  needs: StandaloneNeeds,
  signal: AbortSignal,
): Promise<DeploymentState | undefined> {
  const { state, 'standalone-state': record } = await run.store.read();
  if (state !== undefined) {
    throw new ClientError(
      'updateInProgress',
      `Deployment ${state.UpdateInfo.ID} of the server is in progress on this device. Let the daemon finish it first.`,
    );
  }
  if (command.name === 'install') {
    if (record !== undefined) {
      throw new ClientError(
        'updateInProgress',
        'Update already in progress. Please commit or roll back first',
      );
    }
    await installBootstrapArtifact(needs, run.store, signal);
    run.deployment = {
      id: '',
      artifactName: '',
      offeredDeviceTypes: [],
      uri: '',
      payloads: [],
      outcome: 'noneFailed',
      storeCount: 0,
    };
    return 'Download_Enter';
  }
  if (record === undefined) return undefined;
  const start = standaloneEntry[record.InState][command.name];
  if (start === undefined) {
    throw new ClientError(
      'wrongState',
      `Cannot ${command.name} an update that stands in ${record.InState}. Go on with it by: resume`,
    );
  }
  run.deployment = fromStandaloneRecord(record);
  run.recordName = record.InState;
  // What begins with undoing has not gone well, whether by a power cut or by the user's wish.
  if (start === 'SupportsRollback') changeDeployment(run, { outcome: 'failed' });
  return start;
}

function supportedStop(state: string): DeploymentState {
  if (Object.hasOwn(standaloneStops, state)) return state as keyof typeof standaloneStops;
  throw new ClientError('unsupportedStop', `Cannot stop before unsupported state ${state}`);
}

/** Opened before anything happens, so that a wrong path is a refusal and not a failed update; read when the table says so. */
function openOnce(location: string, needs: StandaloneNeeds) {
  let opened: ArtifactSource | undefined;
  return {
    open: async (signal: AbortSignal) => {
      opened = await openArtifact(location, needs, signal);
    },
    content: (stop: AbortSignal): AsyncIterable<Uint8Array> => {
      if (opened === undefined) return nothing();
      stop.throwIfAborted();
      return withPercent(opened, (percent) => needs.printProgress(`\r${percent}%`));
    },
  };
}

async function* nothing(): AsyncIterable<Uint8Array> {}
