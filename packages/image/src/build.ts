import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { readBoard, type Board } from './board.ts';
import type { BootContext, Bootloader } from './bootloader.ts';
import { bootloaders } from './bootloaders.ts';
import { linksToData, removedFromRoot, rootFiles, type DeviceSettings } from './device-files.ts';
import { hookRunner } from './hooks.ts';
import { ImageError } from './image-error.ts';
import { inspectRoot } from './inspect-root.ts';
import { installPackages } from './install-packages.ts';
import { planLayout } from './layout.ts';
import { contentBytes } from './measure.ts';
import type { Options } from './options.ts';
import { partitionsOf } from './partitions.ts';
import { placeFiles, removeFiles } from './place-files.ts';
import { showPlan } from './plan-text.ts';
import { findPrivileges, type Privileges } from './privileges.ts';
import { requirePrograms } from './required-programs.ts';
import { rootTree } from './root-tree.ts';
import { openDiskImage, openRoot, unpackBoot, unpackRoot, type Source } from './source.ts';
import { findWarnings, type Inspected } from './warnings.ts';
import type { World } from './world.ts';
import { writeImages, type Written } from './write-images.ts';

/**
 * Makes the images of a device: unpack the root file system, look at it, install and place what it lacks, measure, and write. Up to the measuring
 * nothing is written but to a directory that is removed again. Throws `ImageError`, and `ArtifactError` for an artifact that cannot be.
 */
export async function build(options: Options, world: World): Promise<Written | undefined> {
  const board = await readBoard(boardPath(options.board, world), options.set);
  const bootloader: Bootloader = bootloaders[board.bootloader](board.bootloaderSettings);
  const artifactName = required(options['artifact-name'], 'artifact-name');
  await requirePrograms(board, bootloader, options, world);
  const sourceDate = sourceDateOf(world);
  const privileges = await findPrivileges(world, sourceDate);
  const source = await sourceOf(options, world);
  const settings = await deviceSettings(options, board, bootloader);

  const work = await mkdtemp(join(options['work-directory'] ?? world.temporaryDirectory, 'tandem-image-'));
  const stage = progress(options.quiet, world);
  try {
    const places = {
      root: join(work, 'root'),
      boot: join(work, 'boot'),
      data: join(work, 'data'),
      own: join(work, 'own'),
    };
    for (const path of Object.values(places)) await mkdir(path, { mode: 0o755 });
    const root = rootTree(places.root);
    const hooks = hookRunner(board, options.hook, privileges, (line) =>
      say(options.quiet, world, `  ${line}`),
    );
    const hookPlaces = {
      TANDEM_ROOT: places.root,
      TANDEM_BOOT: places.boot,
      TANDEM_DATA: places.data,
      TANDEM_IMAGE: '',
    };

    await stage(`unpack the ${source.kind} ${source.path}`, async () => {
      await unpackRoot(source, places.root, privileges);
      await unpackBoot(source, places.boot, world.run);
    });
    await inspectRoot(root, board, source.path);
    const warnings = await findWarnings({ ...inspectedOf(options), root, board, nowMs: world.nowMs() });
    for (const warning of warnings) world.stderr.write(`warning: ${warning}\n`);
    await hooks('afterUnpack', hookPlaces);

    // The link before the packages, so that none makes a directory of what is to be on the data partition.
    await placeFiles(linksToData, places.root);
    if (options.package.length > 0) {
      await stage(`install ${options.package.map((path) => basename(path)).join(', ')}`, () =>
        installPackages(options.package, places.root, board.architecture, privileges),
      );
    }
    await hooks('afterPackages', hookPlaces);

    const partitions = partitionsOf(board);
    const context: BootContext = {
      board,
      partitions,
      root,
      kernelArguments: kernelArguments(board),
      workDirectory: places.own,
      run: world.run,
      sourceDate,
      signal: world.signal,
    };
    await stage(`place files, and those of ${board.bootloader}`, async () => {
      const problems = await bootloader.problems(context);
      if (problems.length > 0)
        throw new ImageError(
          'bootloaderRefused',
          `${board.bootloader} cannot start this: ${problems.join(' ')}`,
        );
      await placeFiles(await rootFiles(board, partitions, settings, root), places.root);
      await placeFiles(await bootloader.rootFiles(context), places.root);
      for (const overlay of options.overlay) await layOver(overlay, places.root, privileges);
      await removeFiles(removedFromRoot(board), places.root);
      await hooks('afterFiles', hookPlaces);
      await placeFiles(await bootloader.bootFiles(context), places.boot);
      await hooks('beforeBoot', hookPlaces);
      await clampTimes(places.root, sourceDate, privileges);
    });

    const layout = planLayout(board, partitions, {
      rootContentBytes: await contentBytes(places.root, privileges),
      bootContentBytes: await contentBytes(places.boot, privileges),
      dataContentBytes: await contentBytes(places.data, privileges),
      reservedBytes: bootloader.reservedBytes,
    });
    const rawWrites = await bootloader.rawWrites(context);
    if (!options.quiet || options['dry-run']) world.stdout.write(showPlan(board, layout, rawWrites, source));
    if (options['dry-run']) return undefined;
    const beside = await bootloader.filesBeside(context);
    return await writeImages(
      { board, layout, places, partitions, settings, rawWrites, beside, artifactName, sourceDate, work },
      {
        options,
        world,
        privileges,
        stage,
        afterImage: (image) => hooks('afterImage', { ...hookPlaces, TANDEM_IMAGE: image }),
      },
    );
  } finally {
    await privileges.remove(work);
  }
}

/** `gpt`: a table whose copy at the beginning was damaged while it was written is read from the one at the end. */
const kernelArguments = (board: Board): string =>
  [board.kernelArguments, ...(board.partitionTable === 'gpt' ? ['gpt'] : [])].filter(Boolean).join(' ');

function boardPath(given: string | undefined, world: World): string {
  const board = required(given, 'board');
  return /[/.]/.test(board) ? resolve(board) : join(world.boardDirectory, `${board}.json`);
}

function required(value: string | undefined, name: string): string {
  if (value !== undefined && value !== '') return value;
  throw new ImageError('badArguments', `--${name} is needed. Try --help.`);
}

async function sourceOf(options: Options, world: World): Promise<Source> {
  const { root, 'disk-image': disk } = options;
  if ((root === undefined) === (disk === undefined))
    throw new ImageError('badArguments', 'give either --root or --disk-image. Try --help.');
  return disk === undefined ? openRoot(resolve(root ?? '')) : openDiskImage(resolve(disk), world.run);
}

/** Seconds since 1970 that no file of the image is newer than (https://reproducible-builds.org/specs/source-date-epoch/). */
function sourceDateOf(world: World): number {
  const text = world.environment['SOURCE_DATE_EPOCH'] ?? '';
  if (text === '') return Math.floor(world.nowMs() / 1000);
  if (/^\d{1,11}$/.test(text)) return Number(text);
  throw new ImageError('badArguments', `SOURCE_DATE_EPOCH is "${text}"; it must be seconds since 1970`);
}

async function deviceSettings(
  options: Options,
  board: Board,
  bootloader: Bootloader,
): Promise<DeviceSettings> {
  const given = options['client-configuration'];
  const token = options['tenant-token-file'];
  const configuration = given === undefined ? {} : readConfiguration(await readFile(given, 'utf8'), given);
  return {
    deviceType: board.deviceType,
    configuration: {
      ...(options['server-url'] === undefined ? {} : { ServerURL: options['server-url'] }),
      ...(token === undefined ? {} : { TenantToken: (await readFile(token, 'utf8')).trim() }),
      ...bootloader.clientConfiguration,
      ...configuration,
    },
    serverCertificate: options['server-certificate'],
    verifyKeys: options['verify-key'],
  };
}

function readConfiguration(text: string, path: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new ImageError('badArguments', `the client's configuration ${path} is not JSON`, { cause });
  }
  throw new ImageError('badArguments', `the client's configuration ${path} is no JSON object`);
}

const inspectedOf = (options: Options): Omit<Inspected, 'root' | 'board' | 'nowMs'> => ({
  serverUrl: options['server-url'],
  serverCertificate: options['server-certificate'],
  verifyKeys: options['verify-key'],
  packages: options.package,
});

async function layOver(overlay: string, root: string, privileges: Privileges): Promise<void> {
  const copy =
    'set -eo pipefail; tar --create -C "$1" --owner=0 --group=0 . | tar --extract -p -C "$2" --keep-directory-symlink --no-overwrite-dir';
  await privileges.run('bash', ['-c', copy, 'overlay', resolve(overlay), root]);
}

/** What the builder and the packages made is not newer than the sources are said to be. */
async function clampTimes(root: string, sourceDate: number, privileges: Privileges): Promise<void> {
  const date = `@${String(sourceDate)}`;
  await privileges.run('find', [
    root,
    '-newermt',
    date,
    '-exec',
    'touch',
    '--no-dereference',
    '--date',
    date,
    '{}',
    '+',
  ]);
}

export type Stage = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;

/** Each stage is told as it begins, with the time it took behind it. */
function progress(isQuiet: boolean, world: World): Stage {
  return async (name, work) => {
    const began = world.nowMs();
    say(isQuiet, world, `${name} …`);
    const result = await work();
    say(isQuiet, world, `  ${((world.nowMs() - began) / 1000).toFixed(1)} s`);
    return result;
  };
}

const say = (isQuiet: boolean, world: World, line: string): void => {
  if (!isQuiet) world.stdout.write(`${line}\n`);
};
