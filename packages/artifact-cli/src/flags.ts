/** What a flag takes: nothing, one value (the last counts), or one value each time it is given. */
export type FlagKind = 'switch' | 'text' | 'list';

export interface Flag {
  readonly short?: string;
  readonly kind: FlagKind;
  /** What stands for the value in help. */
  readonly value?: string;
  readonly help: string;
}

const verify = {
  short: 'k',
  kind: 'list',
  value: 'FILE',
  help: 'Public key to verify the signature with; repeat for several',
} as const;
const elsewhere = 'Not supported; use --sign-command';

/** Every flag of every command, by its long name. `commands.ts` says which command has which. */
// prettier-ignore
export const flags = {
  'artifact-name':                { short: 'n', kind: 'text', value: 'NAME', help: 'Name of the artifact' },
  'artifact-name-depends':        { short: 'N', kind: 'list', value: 'NAME', help: 'Install only over an artifact of this name; repeat for several' },
  'augment-depends':              { kind: 'list', value: 'KEY:VALUE', help: 'Augmented dependency' },
  'augment-file':                 { kind: 'list', value: 'FILE', help: 'Augmented payload file' },
  'augment-meta-data':            { kind: 'text', value: 'FILE', help: 'Augmented meta-data, a JSON object' },
  'augment-provides':             { kind: 'list', value: 'KEY:VALUE', help: 'Augmented provides' },
  'augment-type':                 { kind: 'text', value: 'TYPE', help: 'Type of the augmented payload; needed for the other augment flags' },
  'azure-key':                    { kind: 'text', value: 'KEY', help: elsewhere },
  'clears-provides':              { kind: 'list', value: 'PATTERN', help: 'Provides of the device that are removed, * for any characters; repeat for several' },
  'compatible-types':             { short: 'c', kind: 'list', value: 'TYPE', help: 'Device type the artifact is for; repeat for several' },
  compression:                    { kind: 'text', value: 'KIND', help: 'none, gzip, lzma, zstd, zstd_fastest, zstd_fast, zstd_better or zstd_best' },
  'delete-clears-provides':       { kind: 'list', value: 'PATTERN', help: 'Pattern that is no longer cleared; repeat for several' },
  depends:                        { short: 'd', kind: 'list', value: 'KEY:VALUE', help: 'Install only where the device provides this; repeat for several' },
  'depends-groups':               { short: 'G', kind: 'list', value: 'GROUP', help: 'Install only in this artifact group; repeat for several' },
  'device-type':                  { short: 't', kind: 'list', value: 'TYPE', help: 'Older name of --compatible-types' },
  directory:                      { short: 'd', kind: 'switch', help: 'Make a directory' },
  file:                           { short: 'f', kind: 'text', value: 'FILE', help: 'Payload file' },
  files:                          { kind: 'text', value: 'DIR', help: 'Directory for the payload files' },
  force:                          { short: 'f', kind: 'switch', help: 'Replace a signature that is there' },
  'gcp-kms-key':                  { kind: 'text', value: 'KEY', help: elsewhere },
  key:                            { short: 'k', kind: 'text', value: 'FILE', help: 'Private key to sign with: PEM, RSA or ECDSA P-256' },
  'key-pkcs11':                   { kind: 'text', value: 'URI', help: elsewhere },
  'keyfactor-signserver-worker':  { kind: 'text', value: 'WORKER', help: elsewhere },
  'legacy-rootfs-image-checksum': { kind: 'switch', help: 'Provide the checksum as rootfs_image_checksum, for devices before Mender 2.5' },
  'max-artifact-size':            { kind: 'text', value: 'SIZE', help: 'Delete the artifact and fail when it is larger, as 100MB' },
  'meta-data':                    { short: 'm', kind: 'text', value: 'FILE', help: 'Meta-data for the update module, a JSON object' },
  mode:                           { short: 'm', kind: 'text', value: 'MODE', help: 'Permissions of the file, as 644' },
  name:                           { kind: 'text', value: 'NAME', help: 'Older name of --artifact-name' },
  'no-checksum-provide':          { kind: 'switch', help: 'Do not provide the checksum of the image' },
  'no-default-clears-provides':   { kind: 'switch', help: 'Clear only what --clears-provides says' },
  'no-default-software-version':  { kind: 'switch', help: 'Provide no software version by default' },
  'no-progress':                  { kind: 'switch', help: 'Show no progress' },
  'output-path':                  { short: 'o', kind: 'text', value: 'FILE', help: 'Where the artifact is written; - is stdout. Default: artifact.mender' },
  'print-cmdline':                { kind: 'switch', help: 'Print the command line that makes this artifact, words apart by spaces' },
  'print0-cmdline':               { kind: 'switch', help: 'The same, each word ended by a NUL' },
  provides:                       { short: 'p', kind: 'list', value: 'KEY:VALUE', help: 'What the device provides once this is installed; repeat for several' },
  'provides-group':               { short: 'g', kind: 'text', value: 'GROUP', help: 'Artifact group the artifact belongs to' },
  recursive:                      { short: 'r', kind: 'switch', help: 'Remove a directory with all in it' },
  script:                         { short: 's', kind: 'list', value: 'FILE', help: 'State script, or a directory of them; repeat for several' },
  scripts:                        { kind: 'text', value: 'DIR', help: 'Directory for the state scripts' },
  'server-cert':                  { short: 'c', kind: 'text', value: 'FILE', help: 'Server certificate, put into the image' },
  'server-uri':                   { short: 'u', kind: 'text', value: 'URL', help: 'Server address, put into the configuration in the image' },
  'sign-command':                 { kind: 'text', value: 'COMMAND', help: 'Shell command that signs: manifest on its stdin, signature on its stdout' },
  'software-filesystem':          { kind: 'text', value: 'NAME', help: 'File system the software version is of. Default: rootfs-image' },
  'software-name':                { kind: 'text', value: 'NAME', help: 'Component the software version is of' },
  'software-version':             { kind: 'text', value: 'VERSION', help: 'Software version. Default: the artifact name' },
  'ssh-args':                     { short: 'S', kind: 'list', value: 'ARG', help: 'Argument to ssh, with -f ssh://' },
  'tenant-token':                 { short: 't', kind: 'text', value: 'TOKEN', help: 'Tenant token, put into the configuration in the image' },
  tmp:                            { kind: 'text', value: 'DIR', help: 'Directory for temporary files' },
  type:                           { short: 'T', kind: 'text', value: 'TYPE', help: 'Type of the payload: the update module that installs it' },
  'vault-transit-key':            { kind: 'text', value: 'KEY', help: elsewhere },
  'verification-key':             { short: 'v', kind: 'text', value: 'FILE', help: 'Public key that devices verify with, put into the image' },
  version:                        { short: 'v', kind: 'text', value: 'NUMBER', help: 'Version of the artifact format, 2 or 3. Default: 3' },
  'warn-artifact-size':           { kind: 'text', value: 'SIZE', help: 'Warn when the artifact is larger, as 100MB' },
} as const satisfies Record<string, Flag>;
export type FlagName = keyof typeof flags;

/** Flags that mean something else for some commands. */
export const verifyKeyFlag: Flag = verify;
export const fileListFlag: Flag = { ...flags.file, kind: 'list', help: 'Payload file; repeat for several' };

export const metaDataDirectoryFlag: Flag = {
  kind: 'text',
  value: 'DIR',
  help: 'Directory for the meta-data',
};
export const outputFlag: Flag = {
  ...flags['output-path'],
  help: 'Where the result is written. Default: the same file',
};
export const compressionChangeFlag: Flag = {
  ...flags.compression,
  help: `${flags.compression.help}. Default: as it is`,
};

/** Flags of the reference for keys kept elsewhere. */
export const foreignKeyFlags = [
  'gcp-kms-key',
  'vault-transit-key',
  'keyfactor-signserver-worker',
  'azure-key',
  'key-pkcs11',
] as const satisfies readonly FlagName[];
