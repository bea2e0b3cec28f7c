import type { CommandLine } from './command-line.ts';
import { readCommand } from './commands/read.ts';
import { validateCommand } from './commands/validate.ts';
import { writeBootstrapArtifact } from './commands/write-bootstrap-artifact.ts';
import { writeModuleImage } from './commands/write-module-image.ts';
import { writeRootfsImage } from './commands/write-rootfs-image.ts';
import { fileListFlag, flags, verifyKeyFlag, type Flag, type FlagName } from './flags.ts';
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
};

/** A command's flags by long name. */
export function flagsOf(command: Command): Readonly<Record<string, Flag>> {
  const common = Object.fromEntries(command.flags.map((name): [string, Flag] => [name, flags[name]]));
  return { ...common, ...command.ownFlags };
}
