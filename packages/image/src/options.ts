export interface Option {
  readonly kind: 'text' | 'list' | 'switch';
  readonly value?: string;
  readonly fallback?: string;
  readonly group: keyof typeof optionGroups;
  readonly help: string;
}

export const optionGroups = {
  from: 'What it is made from',
  device: 'What the device is told',
  artifact: 'The artifact',
  run: 'The run',
} as const;

/** Every option of `tandem-image build`; its help and its parser are made from this. */
// prettier-ignore
export const options = {
  board:                  { group: 'from',     kind: 'text',   value: 'FILE',        help: 'The board: a file, or the name of one that comes with the builder. Needed' },
  set:                    { group: 'from',     kind: 'list',   value: 'KEY=VALUE',   help: 'A key of the board file, which then counts instead; repeat for several' },
  root:                   { group: 'from',     kind: 'text',   value: 'PATH',        help: 'Root file system: a directory, a tar archive, or an ext4 image' },
  'disk-image':           { group: 'from',     kind: 'text',   value: 'FILE',        help: 'Instead: a disk image with an ext4 root and, where it has one, a FAT partition to boot from' },
  package:                { group: 'from',     kind: 'list',   value: 'FILE.deb',    help: 'A Debian package to install; repeat for several, all are installed at once' },
  overlay:                { group: 'from',     kind: 'list',   value: 'DIRECTORY',   help: 'Files laid over the root file system, owned by root; repeat, later ones win' },
  hook:                   { group: 'from',     kind: 'list',   value: 'POINT=FILE',  help: 'A program run at a point, after those of the board' },
  'server-url':           { group: 'device',   kind: 'text',   value: 'URL',         help: 'Server the device asks for updates; without one it is for standalone mode' },
  'server-certificate':   { group: 'device',   kind: 'text',   value: 'FILE',        help: 'Certificate or authority of the server, PEM' },
  'verify-key':           { group: 'device',   kind: 'list',   value: 'FILE',        help: 'Public key that artifacts must be signed with, PEM; repeat for several' },
  'tenant-token-file':    { group: 'device',   kind: 'text',   value: 'FILE',        help: 'File with the tenant token (a file, since arguments can be read by others)' },
  'client-configuration': { group: 'device',   kind: 'text',   value: 'FILE',        help: 'More keys of mender.conf, JSON' },
  'artifact-name':        { group: 'artifact', kind: 'text',   value: 'NAME',        help: 'Name of the artifact, and of what the image begins with. Needed' },
  key:                    { group: 'artifact', kind: 'text',   value: 'FILE',        help: 'Private key to sign the artifact with, PEM' },
  'state-script':         { group: 'artifact', kind: 'list',   value: 'FILE',        help: 'State script for the artifact; repeat for several' },
  compression:            { group: 'artifact', kind: 'text',   value: 'KIND',        fallback: 'zstd', help: 'none, gzip or zstd; clients before Mender 4 know gzip only' },
  'output-directory':     { group: 'run',      kind: 'text',   value: 'DIRECTORY',   fallback: '.', help: 'Where image and artifacts are written, as NAME-DEVICETYPE.img, .mender and .bootstrap.mender' },
  'root-image':           { group: 'run',      kind: 'switch', help: 'Write the root file system as NAME-DEVICETYPE.ext4 too' },
  'compress-image':       { group: 'run',      kind: 'text',   value: 'KIND',        fallback: 'none', help: 'none, gzip, xz or zstd: the disk image in that form only' },
  'work-directory':       { group: 'run',      kind: 'text',   value: 'DIRECTORY',   help: "Where the work is done, on a file system with room. Default: the system's for temporary files" },
  'dry-run':              { group: 'run',      kind: 'switch', help: 'Do everything up to the sizes, show the plan, and write nothing' },
  quiet:                  { group: 'run',      kind: 'switch', help: 'Tell warnings and faults only' },
} as const satisfies Readonly<Record<string, Option>>;
export type OptionName = keyof typeof options;

type ValueOf<Row extends Option> = Row['kind'] extends 'list'
  ? readonly string[]
  : Row['kind'] extends 'switch'
    ? boolean
    : Row extends { readonly fallback: string }
      ? string
      : string | undefined;
export type Options = { readonly [Name in OptionName]: ValueOf<(typeof options)[Name]> };
