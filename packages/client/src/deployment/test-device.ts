import { createReadStream } from 'node:fs';
import { appendFile, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyObject } from 'node:crypto';
import {
  moduleImage,
  nodeDecompressors,
  programDecompressor,
  writeArtifactFile,
  type WriteOptions,
} from '@tandem/artifact';
import { createDaemon, type DaemonNeeds } from '../daemon/create-daemon.ts';
import type { DeviceRecords } from '../provides-store/device-store.ts';
import type { ServerConnection } from '../server-connection/server-connection.ts';
import { linuxSystem } from '../system/linux-system.ts';
import type { System } from '../system/system.ts';

/*
 * A device in a directory, for tests: real files, a real update module and real state scripts, a server made of files. What the
 * module, the scripts and the server see is written down, line by line, in the order it happens. As everything is on disk, a boot of
 * the device can be a process of its own that is killed (`boot-test-device.ts`).
 */

export interface TestDevice {
  readonly directory: string;
  /** What was run, in order: phases of state scripts, calls of the module; `(reboot)` and `(power cut)` stand between boots. */
  chain(): Promise<readonly string[]>;
  statuses(): Promise<readonly string[]>;
  /** The log uploaded to the server, as text; undefined when none was. */
  uploadedLog(): Promise<string | undefined>;
  records(): Promise<DeviceRecords>;
  /** What is asked of the scripts, the module and the server, by the name of what they are asked in. */
  set(instruction: Instruction, name: string, content?: string): Promise<void>;
}

export type Instruction =
  | 'fail' //         exits with 1; the server answers with an error
  | 'failOnce'
  | 'answer' //       what the module prints
  | 'hang' //         does not end by itself, nor when it is told to
  | 'dieIn' //        ends itself with SIGKILL
  | 'killClient' //   the script kills the client with SIGKILL, once
  | 'abortAt'; //     the server has aborted: by status and its number, as `installing-2`

const phases = ['Install', 'Reboot', 'Commit', 'Rollback', 'RollbackReboot', 'Failure'].flatMap((state) =>
  ['Enter', 'Leave', 'Error'].map((action) => `Artifact${state}_${action}`),
);

/** One program for everything: what it is called with, or what it is called, says what it stands for. */
const program = (world: string) => `#!/bin/sh
name=\${0##*/}
name=\${1:-\${name%_*}}
echo "$name" >> '${world}/chain'
[ -e '${world}/killClient/'"$name" ] && { rm '${world}/killClient/'"$name"; kill -9 "$PPID"; sleep 20; }
[ -e '${world}/hang/'"$name" ] && { trap '' TERM; while :; do sleep 0.05; done; }
[ -e '${world}/dieIn/'"$name" ] && kill -9 $$
[ -e '${world}/failOnce/'"$name" ] && { rm '${world}/failOnce/'"$name"; exit 1; }
[ -e '${world}/fail/'"$name" ] && { echo "told to fail in $name" >&2; exit 1; }
[ -e '${world}/answer/'"$name" ] && read -r answer < '${world}/answer/'"$name" && echo "$answer"
exit 0
`;

/** A device of type `test-board`, with the software `version-1`, and on its server a deployment of `version-2`. */
export async function makeTestDevice(
  options: {
    readonly idleScripts?: boolean;
    /** Only these phases have a state script; all that are not Idle's or Sync's when not given. */
    readonly scriptsOnly?: readonly string[];
    readonly payloadType?: string;
    readonly artifactGroup?: string;
    readonly deviceTypes?: readonly string[];
    readonly write?: WriteOptions;
    /** Of the payload's one file. */
    readonly content?: Uint8Array;
  } = {},
): Promise<TestDevice> {
  const directory = await mkdtemp(join(tmpdir(), 'test-device-'));
  const at = (...parts: string[]) => join(directory, ...parts);
  for (const name of [
    'data',
    'modules',
    'scripts',
    'server',
    'fail',
    'failOnce',
    'answer',
    'hang',
    'dieIn',
    'killClient',
    'abortAt',
    'scratch',
  ]) {
    await mkdir(at(name));
  }
  const script = program(directory);
  await writeFile(at('modules', 'test-module'), script);
  const hasScript = (phase: string) => options.scriptsOnly?.includes(phase) ?? true;
  const rootfsPhases = ['Download_Enter', 'Download_Leave', 'Download_Error']
    .concat(options.idleScripts ? ['Idle_Enter', 'Idle_Leave', 'Sync_Enter', 'Sync_Leave', 'Sync_Error'] : [])
    .filter(hasScript);
  for (const phase of rootfsPhases) await writeFile(at('scripts', `${phase}_00`), script);
  for (const path of [
    at('modules', 'test-module'),
    ...rootfsPhases.map((phase) => at('scripts', `${phase}_00`)),
  ]) {
    await chmod(path, 0o755);
  }
  await writeFile(at('scratch', 'app.bin'), options.content ?? 'version 2 of the app\n');
  await writeArtifactFile(
    {
      artifactName: 'version-2',
      ...(options.artifactGroup === undefined ? {} : { artifactGroup: options.artifactGroup }),
      depends: { deviceTypes: options.deviceTypes ?? ['test-board'] },
      scripts: phases
        .filter(hasScript)
        .map((phase) => ({ name: `${phase}_00`, content: Buffer.from(script) })),
      payload: moduleImage({
        artifactName: 'version-2',
        type: options.payloadType ?? 'test-module',
        files: [{ path: at('scratch', 'app.bin') }],
      }),
    },
    at('server', 'artifact.mender'),
    { compression: 'gzip', ...options.write },
  );
  await writeFile(
    at('data', 'tandem-store.json'),
    JSON.stringify({ 'artifact-name': 'version-1', 'artifact-provides': {} }),
  );
  await writeFile(
    at('server', 'offer.json'),
    JSON.stringify({
      deploymentId: 'deployment-1',
      artifactName: 'version-2',
      deviceTypes: options.deviceTypes ?? ['test-board'],
      uri: at('server', 'artifact.mender'),
    }),
  );
  const lines = async (name: string) =>
    ((await readText(at(name))) ?? '').split('\n').filter((line) => line !== '');
  return {
    directory,
    chain: () => lines('chain'),
    statuses: () => lines('server/statuses'),
    uploadedLog: () => readText(at('server', 'log')),
    records: async () => JSON.parse(await readFile(at('data', 'tandem-store.json'), 'utf8')) as DeviceRecords,
    set: async (instruction, name, content = '') =>
      writeFile(at(instruction, name), content === '' ? '' : `${content}\n`),
  };
}

export const removeTestDevice = async (device: TestDevice): Promise<void> =>
  rm(device.directory, { recursive: true, force: true });

export interface BootOptions {
  /** The power is cut as soon as a record of this name is on disk. */
  readonly powerCutAfterSaving?: string;
  /** What a power cut is. */
  readonly powerCut?: () => void;
  /** Nothing can be written to the device's store. */
  readonly storeIsReadOnly?: boolean;
  readonly verificationKeys?: readonly KeyObject[];
  /** How long scripts and modules may take; 10 s when not given. */
  readonly timeoutMs?: number;
  readonly system?: Partial<System>;
}

export type BootEnd = 'idle' | 'rebooted' | 'powerCut';

/** Runs the client as a boot of the device does: what is in flight goes on, the server is asked once. */
export async function bootTestDevice(directory: string, options: BootOptions = {}): Promise<BootEnd> {
  let dies: (end: BootEnd) => void = () => undefined;
  const died = new Promise<BootEnd>((resolve) => {
    dies = resolve;
  });
  // What the process would do after its death never happens; the files it leaves are what the next boot finds.
  const die = async (end: BootEnd): Promise<never> => {
    dies(end);
    return new Promise<never>(() => undefined);
  };
  const needs = testNeeds(directory, die, options);
  const daemon = createDaemon(needs);
  const idle = daemon.runOnce(new AbortController().signal).then((): BootEnd => 'idle');
  const end = await Promise.race([idle, died]);
  if (end !== 'idle') {
    // This process lives on, so its lock would look held.
    await rm(join(directory, 'data', 'tandem-update.lock'), { force: true });
    await appendFile(join(directory, 'chain'), end === 'rebooted' ? '(reboot)\n' : '(power cut)\n');
  }
  return end;
}

/** What the client needs of its world, on the device in this directory. */
export function testNeeds(
  directory: string,
  die: (end: BootEnd) => Promise<never>,
  options: BootOptions = {},
): DaemonNeeds {
  const at = (...parts: string[]) => join(directory, ...parts);
  const linux = linuxSystem({
    log: (level, message) => void appendFile(at('system-log'), `${level} ${message}\n`),
    environment: process.env,
    killGraceMs: 200,
  });
  const system: System = {
    ...linux,
    files: {
      ...linux.files,
      writeDurably: async (path, content, mode) => {
        if (options.storeIsReadOnly === true && path.endsWith('tandem-store.json'))
          throw new Error(`EROFS: read-only file system, open '${path}'`);
        await linux.files.writeDurably(path, content, mode);
        if (options.powerCutAfterSaving === undefined || !path.endsWith('tandem-store.json')) return;
        const records = JSON.parse(String(content)) as DeviceRecords;
        const saved = records.state?.Name ?? records['standalone-state']?.InState;
        if (saved !== options.powerCutAfterSaving) return;
        options.powerCut?.();
        await die('powerCut');
      },
    },
    reboot: async () => die('rebooted'),
    ...options.system,
  };
  return {
    system,
    paths: {
      datastore: at('data'),
      rootfsScripts: at('scripts'),
      modules: at('modules'),
      deploymentLogs: at('data'),
    },
    deviceType: async () => 'test-board',
    verificationKeys: options.verificationKeys ?? [],
    decompressors: { ...nodeDecompressors, lzma: programDecompressor('xz') },
    builtInInstallers: {},
    limits: {
      stateScriptTimeoutMs: options.timeoutMs ?? 10_000,
      stateScriptRetryIntervalMs: 10,
      stateScriptRetryTimeoutMs: 50,
      moduleTimeoutMs: options.timeoutMs ?? 10_000,
    },
    server: fileServer(directory),
    inventory: async () => [],
    schedule: {
      updatePollIntervalMs: 1000,
      inventoryPollIntervalMs: 1000,
      retryPollIntervalMs: 5,
      retryPollCount: 0,
    },
  };
}

/** Answers as its files say; the deployment is offered until it was reported as ended. */
function fileServer(directory: string): ServerConnection {
  const at = (...parts: string[]) => join(directory, ...parts);
  const told = async (instruction: Instruction, name: string) =>
    (await readdir(at(instruction))).includes(name);
  return {
    nextDeployment: async () => {
      const offer = await readText(at('server', 'offer.json'));
      return offer === undefined ? 'nothingToDo' : JSON.parse(offer);
    },
    reportStatus: async (_id, status) => {
      if (await told('fail', status)) throw new Error('the server is not there');
      const before = ((await readText(at('server', 'statuses'))) ?? '').split('\n');
      await appendFile(at('server', 'statuses'), `${status}\n`);
      if (status === 'success' || status === 'failure') await rm(at('server', 'offer.json'), { force: true });
      const number = before.filter((line) => line === status).length + 1;
      return (await told('abortAt', `${status}-${number}`)) ? 'aborted' : 'accepted';
    },
    uploadLog: async (_id, messages) =>
      writeFile(at('server', 'log'), messages.map(({ level, message }) => `${level} ${message}\n`).join('')),
    submitInventory: async () => undefined,
    download: ({ uri }) => createReadStream(uri),
    forgetToken: () => undefined,
  };
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
