import { constants } from 'node:fs';
import { join } from 'node:path';
import type { PayloadFile } from '@tandem/artifact';
import { ClientError } from '../client-error.ts';
import type { PayloadInstaller, RebootAnswer } from '../deployment/payload-installer.ts';
import { endOf } from '../state-script/state-scripts.ts';
import { openInTime, writeAll } from '../system/open-in-time.ts';
import type { Log, ProcessResult } from '../system/system.ts';
import { checkedName, makeStreams, streamPayload, type StreamNeeds } from './stream-payload.ts';

/** The program that installs a payload type, and the work tree it is called with. */
export interface UpdateModule {
  readonly program: string;
  readonly tree: string;
  readonly timeoutMs: number;
  readonly log: Log;
}

/** The questions of the protocol; every other call is an action (client contract 13.1). */
// prettier-ignore
const questions = {
  ProvidePayloadFileSizes: { answers: ['Yes', 'No'],              whenEmpty: 'No' },
  NeedsArtifactReboot:     { answers: ['Yes', 'No', 'Automatic'], whenEmpty: 'No' },
  SupportsRollback:        { answers: ['Yes', 'No'],              whenEmpty: 'No' },
} as const;

/** An update module, version 3 of the protocol, as an installer. */
export function updateModule(module: UpdateModule, needs: StreamNeeds): PayloadInstaller {
  const call = (state: string) => (signal: AbortSignal) => callModule(module, state, needs, signal);
  return {
    download: async (_payload, files, signal) => download(module, files, needs, signal),
    artifactInstall: call('ArtifactInstall'),
    needsArtifactReboot: (signal): Promise<RebootAnswer> => ask(module, 'NeedsArtifactReboot', needs, signal),
    artifactReboot: call('ArtifactReboot'),
    artifactVerifyReboot: call('ArtifactVerifyReboot'),
    artifactCommit: call('ArtifactCommit'),
    supportsRollback: async (signal) => (await ask(module, 'SupportsRollback', needs, signal)) === 'Yes',
    artifactRollback: call('ArtifactRollback'),
    artifactRollbackReboot: call('ArtifactRollbackReboot'),
    artifactVerifyRollbackReboot: call('ArtifactVerifyRollbackReboot'),
    artifactFailure: call('ArtifactFailure'),
    cleanup: call('Cleanup'),
  };
}

async function callModule(
  module: UpdateModule,
  state: string,
  needs: StreamNeeds,
  signal: AbortSignal,
): Promise<void> {
  const result = await needs.processes.run(
    module.program,
    [state, module.tree],
    runOptions(module, ['stdout', 'stderr'], signal),
  );
  requireSuccess(module, state, result);
}

async function ask<Q extends keyof typeof questions>(
  module: UpdateModule,
  question: Q,
  needs: StreamNeeds,
  signal: AbortSignal,
): Promise<(typeof questions)[Q]['answers'][number]> {
  const result = await needs.processes.run(
    module.program,
    [question, module.tree],
    runOptions(module, ['stderr'], signal),
  );
  requireSuccess(module, question, result);
  const said = result.stdout.endsWith('\n') ? result.stdout.slice(0, -1) : result.stdout;
  const { answers, whenEmpty } = questions[question];
  if (said === '') return whenEmpty;
  const answer = answers.find((word) => word === said);
  if (answer !== undefined) return answer;
  throw new ClientError(
    'moduleAnswer',
    `Update module ${module.program} answered ${question} with ${JSON.stringify(said.slice(0, 100))}; expected is one line, one of ${answers.join(', ')}`,
    { path: module.program },
  );
}

async function download(
  module: UpdateModule,
  payloadFiles: AsyncIterable<PayloadFile>,
  needs: StreamNeeds,
  signal: AbortSignal,
): Promise<void> {
  const withSizes = (await ask(module, 'ProvidePayloadFileSizes', needs, signal)) === 'Yes';
  const removeStreams = await makeStreams(module.tree, needs, signal);
  let streamed: 'streamed' | 'ignored';
  try {
    streamed = await runDownloadCall(module, payloadFiles, withSizes, needs, signal);
  } finally {
    await removeStreams();
  }
  if (streamed === 'ignored') await storeFiles(module.tree, payloadFiles, needs, signal);
}

/** Feeds the module while it runs; whatever happens, it has ended when this settles. */
async function runDownloadCall(
  module: UpdateModule,
  payloadFiles: AsyncIterable<PayloadFile>,
  withSizes: boolean,
  needs: StreamNeeds,
  signal: AbortSignal,
): Promise<'streamed' | 'ignored'> {
  const state = withSizes ? 'DownloadWithFileSizes' : 'Download';
  const running = needs.processes.start(
    module.program,
    [state, module.tree],
    runOptions(module, ['stdout', 'stderr'], signal),
  );
  const ended = new AbortController();
  const exited = running.exited.finally(() => ended.abort(new Error('the update module has ended')));
  exited.catch(() => undefined);
  try {
    const streamed = await streamPayload(module.tree, payloadFiles, withSizes, needs, ended.signal, signal);
    const result = await exited;
    requireSuccess(module, state, result);
    return streamed;
  } catch (error) {
    if (error instanceof ClientError && error.path === module.program) throw error;
    const stoppedReading = isBrokenPipe(error);
    // A module that is about to fail says more by its own exit code than by the pipe it leaves behind.
    if (stoppedReading) await Promise.race([exited, needs.clock.sleep(ownEndMs, signal)]);
    const endedByItself = ended.signal.aborted;
    running.kill();
    const result = await exited;
    if (endedByItself || result.timedOut) requireSuccess(module, state, result);
    else if (!stoppedReading) throw error;
    throw new ClientError(
      'moduleFailed',
      `Update module ${module.program} took only a part of the payload's files in ${state}; it must read all of them and then stream-next to its end, or none`,
      { path: module.program, cause: error },
    );
  }
}

const ownEndMs = 1000;

/** For a module that leaves the streams alone: every file into `files/`, where it finds them from ArtifactInstall on. */
async function storeFiles(
  tree: string,
  payloadFiles: AsyncIterable<PayloadFile>,
  { openFile = openInTime() }: StreamNeeds,
  signal: AbortSignal,
): Promise<void> {
  const directory = join(tree, 'files');
  for await (const { name, content } of payloadFiles) {
    const file = await openFile(join(directory, checkedName(name)), newFile, 0o600);
    try {
      let position = 0;
      for await (const bytes of content) {
        signal.throwIfAborted();
        await writeAll(file, bytes, position);
        position += bytes.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }
  const names = await openFile(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await names.sync();
  } finally {
    await names.close();
  }
}

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

type Stream = 'stdout' | 'stderr';

/** What the module prints on these streams goes to the log line by line, while it runs: what hangs should have said why before. */
const runOptions = (module: UpdateModule, logged: readonly Stream[], signal: AbortSignal) => ({
  directory: module.tree,
  timeoutMs: module.timeoutMs,
  maxOutputBytes: 10 * 1024,
  onLine: (stream: Stream, line: string) => {
    if (logged.includes(stream)) module.log('info', `Update Module output (${stream}): ${line}`);
  },
  signal,
});

function requireSuccess(module: UpdateModule, state: string, result: ProcessResult): void {
  if (result.exitCode === 0 && !result.timedOut) return;
  throw new ClientError(
    result.timedOut ? 'moduleTimedOut' : 'moduleFailed',
    `Update module ${module.program} ${endOf(result, module.timeoutMs)} in ${state}`,
    { path: module.program, exitCode: result.exitCode },
  );
}

const isBrokenPipe = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EPIPE';
