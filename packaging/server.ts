import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exampleConfiguration } from '@tandem/server/example-configuration';
import { manualPage } from '@tandem/server/manual-page';
import manifest from '../packages/server/package.json' with { type: 'json' };
import { bundleProgram } from './bundle-program.ts';
import { buildDebianPackage, gzip, type Compression } from './debian-package.ts';
import { maintainer, sourceDate } from './facts.ts';
import { nodeRuntime, type NodeRuntime } from './node-runtime.ts';
import { filesBelow, type PackageFile } from './package-files.ts';
import { buildTarball } from './tarball.ts';
import { debianCopyright, noticesWithNode, thirdPartyNotices } from './third-party-notices.ts';

const project = join(import.meta.dirname, '..');
const ownFiles = join(import.meta.dirname, 'server');
const unit = join(ownFiles, 'tandem-server.service');
const configurationFile = '/etc/tandem/server.conf';
const dataDirectory = '/var/lib/tandem-server';

export interface ServerFacts {
  readonly version: string;
  /** SOURCE_DATE_EPOCH: seconds since 1970. */
  readonly modified: number;
}

/** What both packages of the server are made of. */
export interface ServerParts extends ServerFacts {
  readonly node: NodeRuntime;
  readonly bundle: string;
  readonly notices: string;
  readonly manual: string;
}

/** Builds the program into a directory. The web interface must have been built. */
export async function buildServer(facts: ServerFacts, bundle: string): Promise<ServerParts> {
  const bundled = await bundleServer(bundle);
  const node = nodeRuntime(project);
  return {
    ...facts,
    node,
    bundle,
    notices: await noticesWithNode(await thirdPartyNotices(project, bundled), node),
    manual: manualPage({
      version: facts.version,
      date: new Date(facts.modified * 1000).toISOString().slice(0, 10),
      configurationFile,
    }),
  };
}

/** The program alone, as it lies in `program` of an installation. Returns the npm packages that are in it. */
export const bundleServer = (directory: string): Promise<string[]> =>
  bundleProgram({
    project,
    entry: 'packages/server/src/main.ts',
    directory,
    target: 'node26',
    // Native code, which the program `xz` stands in for; and what is only asked for where it is installed.
    external: ['node-liblzma', 'pg-native'],
    places: { '../../../web/dist': '../web' },
  });

/** The command of an installation: it runs the Node beside it. */
export const serverCommand = join(ownFiles, 'tandem-server');

/** Writes the `.deb` for the architecture of this machine, with its Node inside; returns its path. */
export async function buildServerDebianPackage(
  parts: ServerParts,
  options: { readonly directory: string; readonly compression: Compression },
): Promise<string> {
  const { version, modified, node, notices, manual } = parts;
  const home = '/usr/lib/tandem-server';
  const noticesFile = '/usr/share/doc/tandem-server/NOTICES.gz';
  return buildDebianPackage(
    {
      control: {
        package: 'tandem-server',
        version,
        architecture: node.architecture,
        maintainer,
        section: 'net',
        priority: 'optional',
        depends: [...node.depends, 'adduser', 'xz-utils'],
        suggests: ['postgresql'],
        synopsis: 'over-the-air software update for embedded Linux - server',
        description: [
          'Devices ask this server for software, people and programs tell it which: ' +
            'it keeps devices, artifacts, releases and deployments, on SQLite or PostgreSQL.',
          'It speaks the interfaces of Mender, and brings the Node it runs on.',
        ],
      },
      files: [
        ...(await programFiles(parts, home)),
        { path: '/usr/bin/tandem-server', linkTo: '../lib/tandem-server/bin/tandem-server' },
        { path: '/usr/lib/systemd/system/tandem-server.service', copyOf: unit },
        { path: configurationFile, text: exampleConfiguration({ dataDirectory }) },
        { path: noticesFile, bytes: gzip(notices) },
        { path: '/usr/share/man/man8/tandem-server.8.gz', bytes: gzip(manual) },
      ],
      conffiles: [configurationFile],
      scripts: {
        postinst: await readFile(join(ownFiles, 'postinst'), 'utf8'),
        prerm: await readFile(join(ownFiles, 'prerm'), 'utf8'),
        postrm: await readFile(join(ownFiles, 'postrm'), 'utf8'),
      },
      copyright: debianCopyright(noticesFile),
      lintianOverrides: await readFile(join(ownFiles, 'lintian-overrides'), 'utf8'),
    },
    { ...options, modified },
  );
}

/** Writes the tarball for the architecture of this machine, with its Node inside; returns its path. */
export async function buildServerTarball(parts: ServerParts, directory: string): Promise<string> {
  const { version, modified, node, notices, manual } = parts;
  return buildTarball(
    {
      name: `tandem-server-${version}-linux-${node.architecture}`,
      files: [
        ...(await programFiles(parts, '/')),
        { path: '/tandem-server.service', copyOf: unit },
        { path: '/server.conf.example', text: exampleConfiguration() },
        { path: '/share/man/man8/tandem-server.8', text: manual },
        { path: '/NOTICES', text: notices },
        { path: '/LICENSE', copyOf: join(project, 'LICENSE') },
      ],
    },
    { directory, modified },
  );
}

/** What lies in the same places of an installation, wherever its root is. */
async function programFiles({ bundle, node }: ServerParts, root: string): Promise<PackageFile[]> {
  const web = await filesBelow(join(project, 'packages/web/dist'), join(root, 'web')).catch(
    (cause: unknown) => {
      throw new Error('the web interface is not built: run npm run build:web first', { cause });
    },
  );
  return [
    { path: join(root, 'bin/node'), copyOf: node.program, mode: 0o755 },
    { path: join(root, 'bin/tandem-server'), copyOf: serverCommand, mode: 0o755 },
    ...(await filesBelow(bundle, join(root, 'program'))),
    ...web,
  ];
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      directory: { type: 'string', default: join(project, 'dist') },
      compression: { type: 'string', default: 'xz' },
    },
  });
  const { directory } = values;
  const modified = await sourceDate(project, process.env);
  const parts = await buildServer({ version: manifest.version, modified }, join(directory, 'bundle'));
  const compression = values.compression === 'none' ? 'none' : 'xz';
  process.stdout.write(`${await buildServerDebianPackage(parts, { directory, compression })}\n`);
  process.stdout.write(`${await buildServerTarball(parts, directory)}\n`);
}
