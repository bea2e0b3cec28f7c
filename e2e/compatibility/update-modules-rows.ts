import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeTree, type ModuleArtifactDescription, type Tree } from './update-modules-device.ts';

/*
 * What each update module must do, as data: what is on the device, what is deployed, which commands are given and what they say,
 * and what is on the device then. Where Debian's module and ours differ by intent, `after` tells both.
 */

export type ModuleSet = 'debian' | 'ours';

export interface ModuleRow {
  readonly module: string;
  readonly does: string;
  readonly before?: Tree;
  readonly artifact: (place: {
    readonly target: string;
    readonly workshop: string;
  }) =>
    | Omit<ModuleArtifactDescription, 'name' | 'type'>
    | Promise<Omit<ModuleArtifactDescription, 'name' | 'type'>>;
  readonly steps: readonly Step[];
  readonly after: Tree | Readonly<Record<ModuleSet, Tree>>;
  /** What show-artifact prints at the end; the update is called `update-1`. */
  readonly name: 'update-1' | 'update-1_INCONSISTENT' | 'unknown';
  /** The program the device does not have. */
  readonly lacks?: 'dpkg' | 'rpm' | 'docker';
  /** The set of modules the row does not speak of. */
  readonly notOf?: ModuleSet;
}

export interface Step {
  readonly command: 'install' | 'commit' | 'rollback';
  readonly exitCode: 0 | 1;
  readonly says: readonly string[];
  readonly logs?: RegExp;
}

const install = (exitCode: 0 | 1, says: readonly string[], logs?: RegExp): Step => ({
  command: 'install',
  exitCode,
  says: ['Installing artifact...', ...says],
  ...(logs === undefined ? {} : { logs }),
});

const installed = install(0, [
  'Installed, but not committed.',
  "Use 'commit' to update, or 'rollback' to roll back the update.",
]);
const installedForGood = install(0, [
  "Update Module doesn't support rollback. Committing immediately.",
  'Installed and committed.',
]);
const committed: Step = { command: 'commit', exitCode: 0, says: ['Committed.'] };
const rolledBack: Step = { command: 'rollback', exitCode: 0, says: ['Rolled back.'] };
const failedAndRolledBack = (logs: RegExp) => install(1, ['Installation failed.', 'Rolled back.'], logs);
const failedForGood = (logs: RegExp) =>
  install(
    1,
    [
      'Installation failed.',
      'Update Module does not support rollback. System may be in an inconsistent state.',
    ],
    logs,
  );

const notBegun = (logs: RegExp) => install(1, ['Streaming failed.', 'System not modified.'], logs);

const unwell = {
  stateScripts: { ArtifactInstall_Leave_00_health: 'echo the device is not well >&2; exit 1\n' },
};

const oldSite: Tree = { 'site/index.html': 'old', 'site/data/kept': 'by the device' };
const newSite: Tree = { 'index.html': 'new', 'css/style': 'new' };

/** A tree as the tar archive the `directory` module takes. */
async function tarOf(workshop: string, tree: Tree): Promise<Buffer> {
  const directory = join(workshop, 'tree');
  await writeTree(directory, tree);
  return execFileSync('tar', ['-C', directory, '-c', '.']);
}

const site =
  (more: Omit<ModuleArtifactDescription, 'name' | 'type' | 'files'> = {}): ModuleRow['artifact'] =>
  async ({ target, workshop }) => ({
    files: { 'update.tar': await tarOf(workshop, newSite), dest_dir: `${target}/site\n` },
    ...more,
  });

const settings =
  (more: Omit<ModuleArtifactDescription, 'name' | 'type' | 'files'> = {}): ModuleRow['artifact'] =>
  ({ target }) => ({
    files: {
      settings: 'new',
      filename: 'settings\n',
      dest_dir: `${target}/etc/app\n`,
      permissions: '600\n',
    },
    ...more,
  });

/** A small package, made by the real dpkg-deb. */
async function packageOf(workshop: string, control: string): Promise<Buffer> {
  const directory = join(workshop, 'package');
  await writeTree(directory, {
    'DEBIAN/control': `Package: greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\n${control}Description: Says hello\n`,
    'usr/share/greeting': 'hello',
  });
  execFileSync('dpkg-deb', ['--root-owner-group', '--build', directory, join(workshop, 'greeting.deb')]);
  return execFileSync('cat', [join(workshop, 'greeting.deb')]);
}

const debian =
  (control = ''): ModuleRow['artifact'] =>
  async ({ workshop }) => ({ files: { 'greeting.deb': await packageOf(workshop, control) } });

const containers =
  (images: readonly string[], more = {}): ModuleRow['artifact'] =>
  // A payload without files is what the module's artifacts are.
  () => ({ files: {}, metaData: { containers: images, run_args: '--restart always' }, ...more });

const twoRunning: Tree = { 'running/old-1': 'run app:1', 'running/old-2': 'run db:1' };
const appRunning = 'run -dt --restart always app:2\n';
const newRunning: Tree = {
  'running/id-app-2': appRunning,
  'running/id-db-2': 'run -dt --restart always db:2\n',
};

/** An application of several containers, as the `docker-compose` module keeps it below the target. */
const application = (compose: string, env: string): Tree => ({
  'apps/shop/current/compose.yaml': compose,
  'apps/shop/current/.env': env,
  'running/shop': compose + env,
});
const oldShop = application('services: one\n', 'COLOUR=red\n');

const shop =
  (
    compose: string,
    {
      images,
      ...more
    }: { readonly images?: string } & Pick<ModuleArtifactDescription, 'stateScripts' | 'metaData'> = {},
  ): ModuleRow['artifact'] =>
  async ({ workshop }) => ({
    files: {
      'manifests.tar.gz': gzipSync(await tarOf(workshop, { 'compose.yaml': compose })),
      ...(images === undefined ? {} : { 'images.tar.gz': gzipSync(images) }),
    },
    metaData: {
      application_name: 'shop',
      orchestrator: 'docker-compose',
      platform: 'linux/arm64',
      version: '2',
      env: { COLOUR: 'blue' },
    },
    ...more,
  });

/** A device whose configuration is `before`, with a program that applies what it is given and fails when that says broken. */
const configured = (before?: string): Tree => ({
  'apply/10-zone':
    '755:#!/bin/sh\n! grep -q broken "$1" || exit 7\ncat "$1" > "$TARGET/applied" 2>/dev/null || echo none > "$TARGET/applied"\n',
  'apply/20-count': '755:#!/bin/sh\necho called >> "$TARGET/calls"\n',
  ...(before === undefined ? {} : { 'configuration/device-config.json': before }),
});
const configuration =
  (values: Readonly<Record<string, string>>): ModuleRow['artifact'] =>
  () => ({ files: {}, metaData: values });

export const moduleRows: readonly ModuleRow[] = [
  {
    module: 'directory',
    does: 'puts the tree in place and keeps it when committed',
    before: oldSite,
    artifact: site(),
    steps: [installed, committed],
    after: {
      debian: { 'site/index.html': 'new', 'site/css/style': 'new' },
      // As generation 5 of the reference: an update does not delete what the device has made beside it.
      ours: { 'site/index.html': 'new', 'site/css/style': 'new', 'site/data/kept': 'by the device' },
    },
    name: 'update-1',
  },
  {
    module: 'directory',
    does: 'is rolled back by hand to the tree there was',
    before: oldSite,
    artifact: site(),
    steps: [installed, rolledBack],
    after: oldSite,
    name: 'unknown',
  },
  {
    module: 'directory',
    does: 'is rolled back by itself when the device is not well',
    before: oldSite,
    artifact: site(unwell),
    steps: [failedAndRolledBack(/the device is not well/)],
    after: oldSite,
    name: 'unknown',
  },
  {
    module: 'directory',
    does: 'leaves nothing of the update when rolled back where there was nothing',
    before: { other: 'file' },
    artifact: site(),
    steps: [installed, rolledBack],
    after: { other: 'file' },
    name: 'unknown',
  },
  {
    module: 'directory',
    does: 'refuses an archive that is none and leaves the tree',
    before: oldSite,
    artifact: ({ target }) => ({ files: { 'update.tar': 'no archive', dest_dir: `${target}/site\n` } }),
    steps: [failedAndRolledBack(/tar/)],
    after: oldSite,
    name: 'unknown',
  },
  {
    module: 'directory',
    does: 'refuses to replace the root of the file system',
    before: oldSite,
    artifact: () => ({ files: { 'update.tar': 'x', dest_dir: '/\n' } }),
    steps: [failedAndRolledBack(/destination dir is '\/'|dest_dir is '\/'/)],
    after: oldSite,
    name: 'unknown',
  },
  {
    module: 'single-file',
    does: 'puts the file in place with its permissions',
    before: { 'etc/app/settings': '644:old' },
    artifact: settings(),
    steps: [installed, committed],
    after: { 'etc/app/settings': '600:new' },
    name: 'update-1',
  },
  {
    module: 'single-file',
    does: 'is rolled back to the file and the permissions there were',
    before: { 'etc/app/settings': '644:old' },
    artifact: settings(unwell),
    steps: [failedAndRolledBack(/the device is not well/)],
    after: { 'etc/app/settings': '644:old' },
    name: 'unknown',
  },
  {
    module: 'single-file',
    does: 'is rolled back where there was no file before',
    artifact: settings(),
    steps: [installed, rolledBack],
    // Debian's leaves the new file behind.
    after: { debian: { 'etc/app/settings': '600:new' }, ours: {} },
    name: 'unknown',
  },
  {
    module: 'single-file',
    does: 'refuses a payload that does not say where to',
    before: { 'etc/app/settings': '644:old' },
    artifact: () => ({ files: { settings: 'new', filename: 'settings\n', dest_dir: '\n' } }),
    steps: [failedAndRolledBack(/dest_dir/)],
    after: { 'etc/app/settings': '644:old' },
    name: 'unknown',
  },
  {
    module: 'script',
    does: 'runs the scripts in the order of their names',
    artifact: ({ target }) => ({
      files: {
        '20-second': `#!/bin/sh\necho second >> '${target}/ran'\n`,
        '10-first': `#!/bin/sh\necho first >> '${target}/ran'\n`,
      },
    }),
    steps: [installedForGood],
    after: { ran: 'first\nsecond\n' },
    name: 'update-1',
  },
  {
    module: 'script',
    does: 'stops at the first that fails, and says that nothing can be undone',
    artifact: ({ target }) => ({
      files: {
        '10-first': `#!/bin/sh\necho first >> '${target}/ran'\necho no such sensor >&2\nexit 3\n`,
        '20-second': `#!/bin/sh\necho second >> '${target}/ran'\n`,
      },
    }),
    steps: [failedForGood(/no such sensor/)],
    after: { ran: 'first\n' },
    name: 'update-1_INCONSISTENT',
  },
  {
    module: 'deb',
    does: 'installs a package',
    artifact: debian(),
    steps: [installedForGood],
    after: { 'usr/share/greeting': 'hello' },
    name: 'update-1',
  },
  {
    module: 'deb',
    does: 'fails when the package wants what is not there',
    artifact: debian('Depends: something-else\n'),
    steps: [failedForGood(/something-else/)],
    // Unpacked, but not configured: dpkg's own way.
    after: { 'usr/share/greeting': 'hello' },
    name: 'update-1_INCONSISTENT',
  },
  {
    module: 'rpm',
    does: 'gives all packages to one call',
    artifact: () => ({ files: { 'a.rpm': 'package a', 'b.rpm': 'package b' } }),
    steps: [installedForGood],
    after: { 'rpm-calls': 'rpm -U -v --force a.rpm b.rpm\n' },
    name: 'update-1',
  },
  {
    module: 'rpm',
    does: 'fails with what rpm says',
    artifact: () => ({ files: { 'a.rpm': 'broken' } }),
    steps: [failedForGood(/not an rpm package/)],
    after: {},
    name: 'update-1_INCONSISTENT',
  },
  {
    module: 'docker',
    does: 'runs the new containers in place of those running',
    before: twoRunning,
    artifact: containers(['app:2', 'db:2']),
    steps: [installed, committed],
    after: {
      debian: { ...newRunning, 'stopped/old-1': 'run app:1', 'stopped/old-2': 'run db:1' },
      // Those with a restart policy would come back at the next boot, beside the new ones.
      ours: {
        ...newRunning,
        'stopped/old-1': 'run app:1, restart no\n',
        'stopped/old-2': 'run db:1, restart no\n',
      },
    },
    name: 'update-1',
  },
  {
    module: 'docker',
    does: 'goes back to the containers that were running',
    before: twoRunning,
    artifact: containers(['app:2']),
    steps: [installed, rolledBack],
    after: {
      // Debian's keeps the container of the update, stopped; with `--restart always` it comes back at the next boot.
      debian: { ...twoRunning, 'stopped/id-app-2': appRunning },
      ours: twoRunning,
    },
    name: 'unknown',
  },
  {
    module: 'docker',
    does: 'goes back when a container does not start',
    before: twoRunning,
    artifact: containers(['app:2', 'faulty/db:2']),
    steps: [failedAndRolledBack(/no command/)],
    after: {
      debian: {
        ...twoRunning,
        'stopped/id-app-2': appRunning,
        'stopped/id-faulty-db-2': 'run -dt --restart always faulty/db:2\n',
      },
      ours: twoRunning,
    },
    name: 'unknown',
  },
  {
    module: 'docker',
    does: 'goes back when an image cannot be pulled',
    before: twoRunning,
    artifact: containers(['app:2', 'broken/db:2']),
    steps: [failedAndRolledBack(/manifest for broken\/db:2 not found/)],
    // Ours pulls everything before it stops anything.
    after: { debian: { ...twoRunning, 'stopped/id-app-2': appRunning }, ours: twoRunning },
    name: 'unknown',
  },
  {
    module: 'docker',
    does: 'is refused before anything is changed on a device without docker',
    lacks: 'docker',
    before: twoRunning,
    artifact: containers(['app:2']),
    steps: [notBegun(/docker/)],
    after: twoRunning,
    name: 'unknown',
  },
  {
    module: 'rpm',
    does: 'fails on a device without rpm',
    lacks: 'rpm',
    artifact: () => ({ files: { 'a.rpm': 'package a' } }),
    steps: [failedForGood(/rpm: not found/)],
    after: {},
    name: 'update-1_INCONSISTENT',
    notOf: 'ours',
  },
  {
    module: 'deb',
    does: 'fails on a device without dpkg',
    lacks: 'dpkg',
    artifact: debian(),
    steps: [failedForGood(/dpkg: not found/)],
    after: {},
    name: 'update-1_INCONSISTENT',
    notOf: 'ours',
  },
  {
    module: 'rpm',
    does: 'is refused before anything is changed on a device without rpm',
    lacks: 'rpm',
    artifact: () => ({ files: { 'a.rpm': 'package a' } }),
    steps: [notBegun(/there is no rpm on this device/)],
    after: {},
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'deb',
    does: 'is refused before anything is changed on a device without dpkg',
    lacks: 'dpkg',
    artifact: debian(),
    steps: [notBegun(/there is no dpkg on this device/)],
    after: {},
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'docker',
    does: 'is refused when it names no image',
    before: twoRunning,
    artifact: containers([]),
    steps: [notBegun(/must name images/)],
    after: twoRunning,
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'docker-compose',
    does: 'runs the new version in place of the former, with the images it brings',
    before: oldShop,
    artifact: shop('services: two\n', { images: 'images' }),
    steps: [installed, committed],
    after: { ...application('services: two\n', 'COLOUR=blue\n'), images: 'loaded\n' },
    name: 'update-1',
    notOf: 'debian',
  },
  {
    module: 'docker-compose',
    does: 'is rolled back by hand to the former version',
    before: oldShop,
    artifact: shop('services: two\n'),
    steps: [installed, rolledBack],
    after: { ...oldShop, images: 'pulled\n' },
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'docker-compose',
    does: 'goes back when the new version does not come up',
    before: oldShop,
    artifact: shop('services: faulty\n'),
    steps: [failedAndRolledBack(/unhealthy/)],
    after: { ...oldShop, images: 'pulled\n' },
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'docker-compose',
    does: 'leaves nothing when the first version does not come up',
    artifact: shop('services: faulty\n'),
    steps: [failedAndRolledBack(/unhealthy/)],
    after: { images: 'pulled\n' },
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'docker-compose',
    does: 'does not stop the former version for a compose file that is none',
    before: oldShop,
    artifact: shop('nothing\n'),
    steps: [failedAndRolledBack(/no services/)],
    after: oldShop,
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'docker-compose',
    does: 'refuses a name that would leave its directory',
    before: oldShop,
    artifact: shop('services: two\n', { metaData: { application_name: '../shop' } }),
    steps: [notBegun(/application_name must be/)],
    after: oldShop,
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'mender-configure',
    does: 'gives the device its first configuration, which its owner alone can read',
    before: configured(),
    artifact: configuration({ zone: 'UTC' }),
    steps: [installed, committed],
    after: {
      ...configured('600:{"zone":"UTC"}'),
      applied: '{"zone":"UTC"}',
      calls: 'called\n',
    },
    name: 'update-1',
    notOf: 'debian',
  },
  {
    module: 'mender-configure',
    does: 'is rolled back by hand to the former configuration, which is applied again',
    before: configured('{"zone":"CET"}'),
    artifact: configuration({ zone: 'UTC' }),
    steps: [installed, rolledBack],
    after: { ...configured('{"zone":"CET"}'), applied: '{"zone":"CET"}', calls: 'called\ncalled\n' },
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'mender-configure',
    does: 'goes back by itself when one program fails, having called them all',
    before: configured('{"zone":"CET"}'),
    artifact: configuration({ zone: 'broken' }),
    steps: [failedAndRolledBack(/10-zone ended with exit code 7/)],
    after: { ...configured('{"zone":"CET"}'), applied: '{"zone":"CET"}', calls: 'called\ncalled\n' },
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'mender-configure',
    does: 'leaves no configuration where there was none',
    before: configured(),
    artifact: configuration({ zone: 'broken' }),
    steps: [failedAndRolledBack(/could not be applied/)],
    after: { ...configured(), applied: 'none\n', calls: 'called\ncalled\n' },
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'mender-configure',
    does: 'asks for a reboot when a program does',
    before: { ...configured(), 'apply/30-reboot': '755:#!/bin/sh\nexit 20\n' },
    artifact: configuration({ zone: 'UTC' }),
    steps: [
      install(0, [
        'Installed, but not committed.',
        "Use 'commit' to update, or 'rollback' to roll back the update.",
        'At least one payload requested a reboot of the device it updated.',
      ]),
      committed,
    ],
    after: {
      ...configured('{"zone":"UTC"}'),
      'apply/30-reboot': '755:#!/bin/sh\nexit 20\n',
      applied: '{"zone":"UTC"}',
      calls: 'called\n',
    },
    name: 'update-1',
    notOf: 'debian',
  },
  {
    module: 'mender-configure',
    does: 'takes a failure for one, whatever asks for a reboot beside it',
    before: { ...configured('{"zone":"CET"}'), 'apply/05-reboot': '755:#!/bin/sh\nexit 20\n' },
    artifact: configuration({ zone: 'broken' }),
    steps: [failedAndRolledBack(/could not be applied/)],
    after: {
      ...configured('{"zone":"CET"}'),
      'apply/05-reboot': '755:#!/bin/sh\nexit 20\n',
      applied: '{"zone":"CET"}',
      calls: 'called\ncalled\n',
    },
    name: 'unknown',
    notOf: 'debian',
  },
  {
    module: 'mender-configure',
    does: 'refuses an artifact without a configuration',
    before: configured('{"zone":"CET"}'),
    artifact: () => ({ files: {} }),
    steps: [notBegun(/has no meta-data/)],
    after: configured('{"zone":"CET"}'),
    name: 'unknown',
    notOf: 'debian',
  },
];
