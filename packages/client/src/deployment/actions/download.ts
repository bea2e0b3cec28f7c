import { join } from 'node:path';
import { ArtifactError, readArtifact, type Artifact, type PayloadFile } from '@tandem/artifact';
import { ClientError, wordsOf } from '../../client-error.ts';
import { allProvides } from '../../provides-store/device-store.ts';
import { createWorkTree } from '../../update-module/work-tree.ts';
import { checkArtifact } from '../check-artifact.ts';
import {
  artifactScriptsOf,
  changeDeployment,
  deploymentOf,
  installerOf,
  saveAgain,
  treeOf,
  type DeploymentRun,
} from '../deployment-run.ts';
import { keepProgress, type ProgressKeeper } from '../download-progress.ts';
import { decompressorMissing } from '../require-decompressor.ts';
import { beginDownload, type DownloadStart } from './begin-download.ts';
import { rateLimit } from './rate-limit.ts';
import { withProgress } from './log-progress.ts';

/**
 * The artifact into storage, from its first byte or from where an interrupted download can go on. `nothingToDo`: an empty payload, which
 * brings provides alone. What turns out not to be what was begun is fetched from its first byte.
 */
export async function download(run: DeploymentRun, signal: AbortSignal): Promise<'success' | 'nothingToDo'> {
  for (let begun = 0; ; begun += 1) {
    const start = await beginDownload(run, begun === 0 ? 'whereItWas' : 'zero', signal);
    try {
      return await downloadFrom(run, start, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (begun >= timesBegunAnew || !start.mayBeginAnew(error)) throw error;
      run.log('warning', `${wordsOf(error).replace(/\.$/, '')}. The download starts at zero.`);
    }
  }
}

/** An artifact that changes again and again is not one that could be installed. */
const timesBegunAnew = 3;

/**
 * In one pass and in the order of client contract 16: nothing behind the manifest is parsed before its signature holds, no script
 * unpacked before the header's checksum, no payload touched before device type, offer and depends fit. All of it holds for a resumed
 * download, too: the header is fetched and proven anew, and the whole payload is hashed.
 */
async function downloadFrom(
  run: DeploymentRun,
  { resume, save }: DownloadStart,
  signal: AbortSignal,
): Promise<'success' | 'nothingToDo'> {
  const { system, deviceType, verificationKeys, decompressors } = run.needs;
  // Ends the connection however this ends.
  const cancel = new AbortController();
  const stop = AbortSignal.any([signal, cancel.signal]);
  const progress = keepProgress(system.clock, save);
  let artifact: Artifact | undefined;
  try {
    await system.files.removeDurably(artifactScriptsOf(run));
    const { onIdentity, onPayloadArchive, onRestartPoint } = progress;
    if (resume !== undefined) onIdentity(resume.stored.identity);
    const source = run.openArtifact(stop, { onIdentity, resume: resume?.rest });
    artifact = await readArtifact(source, {
      verificationKeys,
      decompressors,
      signal: stop,
      onPayloadArchive,
      onRestartPoint,
      ...(resume === undefined ? {} : { resume: resume.reading }),
    });
    const records = await run.store.read();
    const device = { deviceType: await deviceType(), provides: allProvides(records) };
    const { artifactName, offeredDeviceTypes } = deploymentOf(run);
    const payload = checkArtifact(
      artifact,
      device,
      run.kind === 'managed' ? { artifactName, deviceTypes: offeredDeviceTypes } : undefined,
    );
    run.log('info', `Artifact ${artifact.headerInfo.artifactName}: ${signatureWords[artifact.signature]}`);
    const { type, provides, clearsProvides } = payload;
    changeDeployment(run, {
      artifactName: artifact.headerInfo.artifactName,
      artifactGroup: artifact.headerInfo.artifactGroup,
      payloads: [{ type, provides, clearsProvides }],
    });
    await saveAgain(run);
    await unpackScripts(run, artifact);
    const files = wholeArtifact(artifact, run, progress, stop);
    if (type === null) {
      for await (const file of files.all) for await (const _bytes of file.content);
      return 'nothingToDo';
    }
    // Found before there is a tree: without an installer there is nothing to clean up.
    const installer = await installerOf(run);
    await createWorkTree(system.files, treeOf(run), artifact, payload, {
      artifactName: records['artifact-name'],
      artifactGroup: records['artifact-group'],
      deviceType: device.deviceType,
    });
    await installer.download(payload, files.all, stop, run.kind === 'managed' ? progress : undefined);
    if (!files.readToEnd()) {
      throw new ClientError(
        'moduleFailed',
        `The installer of ${type} left a part of the payload unread, so the artifact could not be proven whole`,
      );
    }
    return 'success';
  } catch (error) {
    if (error instanceof ArtifactError && error.code === 'noDecompressor') throw decompressorMissing(error);
    const refusal = error instanceof ArtifactError ? signatureRefusals.get(error.code) : undefined;
    if (refusal === undefined) throw error;
    throw new ClientError('artifactRefused', `${refusal}: ${wordsOf(error)}`, { cause: error });
  } finally {
    cancel.abort(new Error('the download has ended'));
    await artifact?.close();
  }
}

/** In the words of the reference, which people look for in logs. */
const signatureRefusals: ReadonlyMap<string, string> = new Map([
  ['signatureMissing', 'expecting signed artifact, but no signature file found'],
  ['signatureInvalid', 'Wrong manifest signature or wrong key'],
  ['signatureMalformed', 'Wrong manifest signature or wrong key'],
]);

// prettier-ignore
const signatureWords = {
  verified:    'signature verified',
  notVerified: 'signed, not verified since no verification key is configured',
  unsigned:    'not signed',
} as const satisfies Record<Artifact['signature'], string>;

async function unpackScripts(run: DeploymentRun, artifact: Artifact): Promise<void> {
  const { files } = run.needs.system;
  const directory = artifactScriptsOf(run);
  await files.makeDirectoryDurably(directory, 0o755);
  for (const { name, content } of artifact.scripts) {
    await files.writeDurably(join(directory, name), content, 0o755);
  }
  await files.writeDurably(join(directory, 'version'), '3\n', 0o644);
}

/** The payload's files with progress in the log, and whether they were read to the end, which proves the whole artifact. */
function wholeArtifact(
  artifact: Artifact,
  run: DeploymentRun,
  progress: ProgressKeeper,
  signal: AbortSignal,
) {
  const { system, limits } = run.needs;
  const limit = rateLimit(system.clock, limits.payloadBytesPerSecond);
  let ended = false;
  async function* all(): AsyncIterable<PayloadFile> {
    for await (const file of artifact.files()) {
      progress.onFile(file);
      yield { ...file, content: limit(withProgress(file, run.log), signal) };
    }
    ended = true;
  }
  return { all: all(), readToEnd: () => ended };
}
