import type { CommandLine } from './command-line.ts';
import { catCommand } from './commands/cat.ts';
import { cpCommand } from './commands/cp.ts';
import { dumpCommand } from './commands/dump.ts';
import { installCommand } from './commands/install.ts';
import { modifyCommand } from './commands/modify.ts';
import { readCommand } from './commands/read.ts';
import { rmCommand } from './commands/rm.ts';
import { signCommand } from './commands/sign.ts';
import { validateCommand } from './commands/validate.ts';
import { writeBootstrapArtifact } from './commands/write-bootstrap-artifact.ts';
import { writeModuleImage } from './commands/write-module-image.ts';
import { writeRootfsImage } from './commands/write-rootfs-image.ts';
import {
  compressionChangeFlag,
  fileListFlag,
  flags,
  metaDataDirectoryFlag,
  outputFlag,
  verifyKeyFlag,
  type Flag,
  type FlagName,
} from './flags.ts';
import type { World } from './world.ts';

export interface Command {
  readonly summary: string;
  readonly operands: string;
  readonly details?: string;
  readonly flags: readonly FlagName[];
  /** Flags that mean something else here than in the common table. */
  readonly ownFlags?: Readonly<Record<string, Flag>>;
  /** Throws `CommandError` and `ArtifactError`. */
  readonly run: (line: CommandLine, world: World) => Promise<void>;
}

const signing = [
  'key',
  'sign-command',
  'gcp-kms-key',
  'vault-transit-key',
  'keyfactor-signserver-worker',
  'azure-key',
] as const;
const naming = [
  'artifact-name',
  'compatible-types',
  'device-type',
  'artifact-name-depends',
  'provides-group',
  'depends-groups',
] as const;
const content = ['provides', 'depends', 'clears-provides'] as const;
const output = ['output-path', 'version', 'compression', 'no-progress', ...signing] as const;
const sizes = ['max-artifact-size', 'warn-artifact-size'] as const;
const software = [
  'software-name',
  'software-version',
  'software-filesystem',
  'no-default-software-version',
  'no-default-clears-provides',
] as const;
const verification = [
  'key',
  'no-progress',
  'gcp-kms-key',
  'vault-transit-key',
  'keyfactor-signserver-worker',
  'azure-key',
  'key-pkcs11',
] as const;

/** Every command by the words it is called with. Help, manual and completion are made from this. */
export const commands: Readonly<Record<string, Command>> = {
  'write rootfs-image': {
    summary: 'write an artifact that replaces the root file system',
    operands: '',
    flags: [
      'file',
      ...naming,
      ...output,
      'script',
      ...content,
      ...software,
      'no-checksum-provide',
      'legacy-rootfs-image-checksum',
      ...sizes,
      'ssh-args',
      'tmp',
    ],
    run: writeRootfsImage,
  },
  'write module-image': {
    summary: 'write an artifact for an update module',
    operands: '',
    flags: [
      'type',
      'file',
      'meta-data',
      ...naming,
      ...output,
      'script',
      ...content,
      ...software,
      'augment-type',
      'augment-provides',
      'augment-depends',
      'augment-meta-data',
      'augment-file',
      ...sizes,
    ],
    ownFlags: { file: fileListFlag },
    run: writeModuleImage,
  },
  'write bootstrap-artifact': {
    summary: 'write an artifact that only tells a device what it already has',
    operands: '',
    flags: [...naming, ...output, ...content],
    run: writeBootstrapArtifact,
  },
  read: {
    summary: 'show what an artifact says and holds',
    operands: 'ARTIFACT',
    flags: verification,
    ownFlags: { key: verifyKeyFlag },
    run: readCommand,
  },
  validate: {
    summary: 'check an artifact, and with -k its signature',
    operands: 'ARTIFACT',
    flags: verification,
    ownFlags: { key: verifyKeyFlag },
    run: validateCommand,
  },
  sign: {
    summary: 'sign an artifact that exists',
    operands: 'ARTIFACT',
    flags: [...signing, 'key-pkcs11', 'output-path', 'force'],
    ownFlags: { 'output-path': outputFlag },
    run: signCommand,
  },
  modify: {
    summary: 'change what an artifact says, or settings inside its root file system or a disk image',
    operands: 'ARTIFACT|IMAGE',
    flags: [
      'artifact-name',
      'name',
      'artifact-name-depends',
      'provides-group',
      'depends-groups',
      'script',
      ...content,
      'delete-clears-provides',
      'meta-data',
      'server-uri',
      'server-cert',
      'verification-key',
      'tenant-token',
      'compression',
      'tmp',
      ...signing,
    ],
    ownFlags: { compression: compressionChangeFlag },
    run: modifyCommand,
  },
  cp: {
    summary: 'copy a file out of an image or into it',
    operands: 'FILE|- IMAGE:/PATH  or  IMAGE:/PATH FILE',
    flags: ['compression', 'tmp', ...signing],
    run: cpCommand,
  },
  cat: { summary: 'print a file of an image', operands: 'IMAGE:/PATH', flags: ['tmp'], run: catCommand },
  install: {
    summary: 'put a file into an image with given permissions, or make a directory there',
    operands: 'FILE IMAGE:/PATH  or  -d IMAGE:/DIRECTORY',
    flags: ['mode', 'directory', 'tmp', ...signing],
    run: installCommand,
  },
  rm: {
    summary: 'remove a file or directory from an image',
    operands: 'IMAGE:/PATH',
    flags: ['recursive', 'tmp', ...signing],
    run: rmCommand,
  },
  dump: {
    summary: 'take an artifact apart into files',
    operands: 'ARTIFACT',
    flags: ['files', 'meta-data', 'scripts', 'print-cmdline', 'print0-cmdline', 'no-progress'],
    ownFlags: { 'meta-data': metaDataDirectoryFlag },
    run: dumpCommand,
  },
};

/** A command's flags by long name. */
export function flagsOf(command: Command): Readonly<Record<string, Flag>> {
  const common = Object.fromEntries(command.flags.map((name): [string, Flag] => [name, flags[name]]));
  return { ...common, ...command.ownFlags };
}
