/** What can be said on the command line (client contract 2 and 3), as tables: parsing, help and tests read these. */

export interface OptionDescription {
  readonly short?: string;
  /** What the value is called in the help; without it the option takes none. */
  readonly value?: string;
  readonly repeatable?: true;
  readonly meaning: string;
}

export interface CommandDescription {
  readonly argument?: string;
  readonly options: readonly OptionName[];
  readonly meaning: string;
}

// prettier-ignore
export const options = {
  config:             { short: 'c', value: 'FILE',  meaning: 'Configuration file. Default: /etc/mender/mender.conf' },
  'fallback-config':  { short: 'b', value: 'FILE',  meaning: 'Fallback configuration file. Default: /var/lib/mender/mender.conf' },
  data:               {             value: 'DIR',   meaning: 'The same as --datastore, from earlier versions.' },
  datastore:          { short: 'd', value: 'DIR',   meaning: 'Directory of everything that is kept. Default: /var/lib/mender' },
  'log-file':         { short: 'L', value: 'FILE',  meaning: 'Append the log to this file instead of writing it to stderr.' },
  'log-level':        { short: 'l', value: 'LEVEL', meaning: 'trace, debug, info, warning, error or fatal. Default: info' },
  'trusted-certs':    { short: 'E', value: 'FILE',  meaning: 'Certificates of servers to trust, instead of ServerCertificate.' },
  skipverify:         {                             meaning: 'Do not check the certificate of the server.' },
  version:            { short: 'v',                 meaning: 'Print the version.' },
  help:               { short: 'h',                 meaning: 'Print help.' },
  'no-syslog':        {                             meaning: 'Accepted from earlier versions; the log never goes to syslog directly.' },
  forcebootstrap:     { short: 'F',                 meaning: 'Make a new device key even if there is one.' },
  'passphrase-file':  {             value: 'FILE',  meaning: "File whose first line opens the device key; '-' for stdin." },
  'reboot-exit-code': {                             meaning: 'Exit with 4 when the update asks for a reboot.' },
  'stop-before':      {             value: 'STATE', repeatable: true, meaning: 'Stop before this state; continue with resume. ArtifactInstall_Enter, ArtifactCommit_Enter, ArtifactCommit_Leave, ArtifactRollback_Enter, ArtifactFailure_Enter or Cleanup.' },
  once:               {                             meaning: 'Do what there is to do, then end: for timers instead of a resident process.' },
  input:              { short: 'i', value: 'FILE',  meaning: "The image; '-' for stdin." },
  output:             { short: 'o', value: 'FILE',  meaning: 'Block device or file to write.' },
  'input-size':       { short: 's', value: 'BYTES', meaning: 'How much to write; needed when the input does not tell its size.' },
  'fsync-interval':   { short: 'f', value: 'BYTES', meaning: 'Flush whenever so much was written; 0: only at the end. Default: 1048576' },
  'write-everything': { short: 'w',                 meaning: 'Write also what is there already.' },
  'device-type':      {             value: 'TYPE',  meaning: 'Device type. Default: the one there is, else the host name.' },
  'hosted-mender':    {                             meaning: 'The server is hosted.mender.io.' },
  'tenant-token':     {             value: 'TOKEN', meaning: "The organization's token." },
  'server-url':       {             value: 'URL',   meaning: 'Address of the server.' },
  url:                {             value: 'URL',   meaning: 'The same as --server-url.' },
  'server-cert':      { short: 'E', value: 'FILE',  meaning: 'Certificate to trust the server by.' },
  'update-poll':      {             value: 'SECONDS', meaning: 'Between two questions for a deployment. Default: 1800' },
  'inventory-poll':   {             value: 'SECONDS', meaning: 'Between two inventories. Default: 28800' },
  'retry-poll':       {             value: 'SECONDS', meaning: 'Longest wait between attempts after a failure. Default: 300' },
  'demo-polling':     {                             meaning: 'Short intervals, for trials: 5, 5 and 30 seconds.' },
  quiet:              { short: 'q',                 meaning: 'Say nothing when it went well.' },
  source:             {             value: 'PATH',  meaning: 'Any path on the file system, or its block device. Default: /' },
  compression:        { short: 'C', value: 'TYPE',  meaning: 'none or gzip. Default: none' },
  demo:               {                             meaning: 'Not supported.' },
  'demo-server':      {                             meaning: 'Not supported.' },
  'server-ip':        {             value: 'IP',    meaning: 'Not supported.' },
  username:           {             value: 'NAME',  meaning: 'E-mail address at hosted.mender.io, instead of --tenant-token.' },
  password:           {             value: 'WORD',  meaning: 'Password there; better asked for, since others on the device can see it here.' },
} as const satisfies Readonly<Record<string, OptionDescription>>;

export type OptionName = keyof typeof options;

const globalOptions = [
  'config',
  'fallback-config',
  'data',
  'datastore',
  'log-file',
  'log-level',
  'trusted-certs',
  'skipverify',
  'version',
  'help',
] as const satisfies readonly OptionName[];

// prettier-ignore
const updateCommands = {
  install:          { argument: 'ARTIFACT', options: ['reboot-exit-code', 'stop-before', 'passphrase-file'], meaning: 'Install an artifact from a file, an http(s) address, or - for the standard input.' },
  resume:           { options: ['reboot-exit-code', 'stop-before'], meaning: 'Continue an installation that was stopped or interrupted.' },
  commit:           { options: ['stop-before'], meaning: 'Make the installed update permanent.' },
  rollback:         { options: ['stop-before'], meaning: 'Go back to what was before the update.' },
  'show-artifact':  { options: [], meaning: 'Print the name of the installed artifact.' },
  'show-provides':  { options: [], meaning: 'Print what the installed artifacts provide, key=value a line.' },
  daemon:           { options: ['once', 'passphrase-file'], meaning: 'Run in managed mode: authenticate, report, update.' },
  'check-update':   { options: [], meaning: 'Make the running daemon ask for a deployment now.' },
  'send-inventory': { options: [], meaning: 'Make the running daemon send the inventory now.' },
} as const satisfies Readonly<Record<string, CommandDescription>>;

// prettier-ignore
const authCommands = {
  bootstrap: { options: ['forcebootstrap', 'passphrase-file'], meaning: 'Make the device key if there is none, and ask the server once to accept the device.' },
} as const satisfies Readonly<Record<string, CommandDescription>>;

/** `mender-auth` has a daemon of its own, which does what the name says and nothing else. */
// prettier-ignore
const authDaemonCommand = {
  daemon: { options: ['forcebootstrap', 'passphrase-file'], meaning: 'Authenticate for every program of this device: give tokens over the system bus.' },
} as const satisfies Readonly<Record<string, CommandDescription>>;

// prettier-ignore
const toolCommands = {
  flash: { options: ['input', 'output', 'input-size', 'fsync-interval', 'write-everything'], meaning: 'Write an image to a block device, leaving out what is there already.' },
} as const satisfies Readonly<Record<string, CommandDescription>>;

// prettier-ignore
const setupCommands = {
  setup: {
    options: [
      'config', 'data', 'datastore', 'device-type', 'hosted-mender', 'tenant-token', 'server-url', 'url', 'server-cert',
      'update-poll', 'inventory-poll', 'retry-poll', 'demo-polling', 'quiet',
      'demo', 'demo-server', 'server-ip', 'username', 'password',
    ],
    meaning: 'Write the configuration and the device type of a new device; on a terminal, ask for what no option says.',
  },
} as const satisfies Readonly<Record<string, CommandDescription>>;

// prettier-ignore
const snapshotCommands = {
  snapshot: { argument: 'dump', options: ['source', 'compression', 'quiet', 'data', 'datastore'], meaning: 'Write the whole root file system to stdout, as it is at one moment.' },
} as const satisfies Readonly<Record<string, CommandDescription>>;

export type CommandName =
  | keyof typeof updateCommands
  | keyof typeof authCommands
  | keyof typeof toolCommands
  | keyof typeof setupCommands
  | keyof typeof snapshotCommands;

export interface ProgramDescription {
  readonly meaning: string;
  readonly globalOptions: readonly OptionName[];
  readonly commands: Readonly<Partial<Record<CommandName, CommandDescription>>>;
  /** The one command it has, whose name is not said. */
  readonly implies?: CommandName;
  /** The program of the years before, with its other words for help, version and mistakes (client contract 3.1). */
  readonly generation: 3 | 5;
}

const everything = { ...updateCommands, ...authCommands, ...setupCommands, ...snapshotCommands };
const toolOptions = ['log-file', 'log-level', 'version', 'help'] as const satisfies readonly OptionName[];

export const programs = {
  'mender-update': {
    meaning: 'Manage and start updates of this device.',
    globalOptions,
    commands: updateCommands,
    generation: 5,
  },
  'mender-auth': {
    meaning: 'Manage the authentication of this device.',
    globalOptions,
    commands: { ...authCommands, ...authDaemonCommand },
    generation: 5,
  },
  'tandem-update': {
    meaning: 'Update this device: all commands in one program.',
    globalOptions,
    commands: { ...everything, ...toolCommands },
    generation: 5,
  },
  'mender-setup': {
    meaning: 'Set up this device.',
    globalOptions: toolOptions,
    commands: setupCommands,
    implies: 'setup',
    generation: 5,
  },
  'mender-snapshot': {
    meaning: 'Make a snapshot of a file system.',
    globalOptions: toolOptions,
    commands: snapshotCommands,
    implies: 'snapshot',
    generation: 5,
  },
  'mender-flash': {
    meaning: 'Write an image to a block device.',
    globalOptions: toolOptions,
    commands: toolCommands,
    implies: 'flash',
    generation: 5,
  },
  mender: {
    meaning: 'Update this device: the command line of earlier versions.',
    globalOptions: [...globalOptions, 'no-syslog', 'forcebootstrap', 'passphrase-file'],
    commands: everything,
    generation: 3,
  },
} as const satisfies Readonly<Record<string, ProgramDescription>>;

export type ProgramName = keyof typeof programs;
