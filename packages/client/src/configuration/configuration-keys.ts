/**
 * Every key of mender.conf this client knows (client contract 5.2), and those of its own. Unknown keys are told of and left
 * alone. A point in a name leads into an object. `docs/how-to/configure-the-client.md` shows this table; a test holds it to it.
 *
 * - `interval`: whole seconds; 0 means the default.
 * - `whole`: whole numbers with their bounds.
 * - `refused`: could not be honoured, and to ignore it would do harm.
 * - `unused`: of earlier clients, of no effect here; whatever its value is, it is let be.
 */
// prettier-ignore
export const configurationKeys = {
  ServerURL:                       { type: 'url',      default: '',         meaning: 'The server. Exclusive with Servers.' },
  Servers:                         { type: 'servers',  default: [],         meaning: 'Servers in the order they are tried: [{"ServerURL": "https://…"}].' },
  TenantToken:                     { type: 'string',   default: '',         meaning: 'Sent when asking for authentication.' },
  ServerCertificate:               { type: 'string',   default: '',         meaning: 'PEM file of certificates trusted beside those of the system.' },
  SkipVerify:                      { type: 'boolean',  default: false,      meaning: 'Do not check the certificate of the server. For trials only.' },
  DeviceTypeFile:                  { type: 'string',   default: '',         meaning: 'File with the line device_type=…; default: device_type in the datastore.' },
  DeviceTier:                      { type: 'choice',   default: 'standard', choices: ['standard', 'system', 'micro'], meaning: 'Tier named when asking for authentication.' },
  UpdateLogPath:                   { type: 'string',   default: '',         meaning: 'Directory of deployment logs; default: the datastore.' },
  DaemonLogLevel:                  { type: 'choice',   default: 'info',     choices: ['trace', 'debug', 'info', 'warning', 'error', 'fatal'], meaning: 'Log level of the daemon.' },
  UpdatePollIntervalSeconds:       { type: 'interval', default: 1800,       meaning: 'Between two questions for a deployment.' },
  InventoryPollIntervalSeconds:    { type: 'interval', default: 28800,      meaning: 'Between two inventories.' },
  RetryPollIntervalSeconds:        { type: 'interval', default: 300,        meaning: 'Longest wait between attempts after a failure.' },
  RetryPollCount:                  { type: 'whole',    default: 0,          minimum: 0, maximum: 10000, meaning: 'Attempts after a failure; 0: three at the longest wait, then stop.' },
  RetryDownloadCount:              { type: 'whole',    default: 10,         minimum: 1, maximum: 10000, meaning: 'Attempts in a row to go on with a broken download that bring nothing.' },
  StateScriptTimeoutSeconds:       { type: 'interval', default: 3600,       meaning: 'Longest run of one state script.' },
  StateScriptRetryTimeoutSeconds:  { type: 'interval', default: 1800,       meaning: 'Longest time a state script may ask to be tried again later.' },
  StateScriptRetryIntervalSeconds: { type: 'interval', default: 60,         meaning: 'Between two such tries.' },
  ModuleTimeoutSeconds:            { type: 'interval', default: 14400,      meaning: 'Longest run of one state of an update module.' },
  ArtifactVerifyKey:               { type: 'string',   default: '',         meaning: 'PEM file of the public key artifacts must be signed with. Exclusive with ArtifactVerifyKeys.' },
  ArtifactVerifyKeys:              { type: 'strings',  default: [],         meaning: 'Several such files; any of the keys may have signed.' },
  'HttpsClient.Certificate':       { type: 'string',   default: '',         meaning: 'PEM file of the certificate this device shows to the server.' },
  'HttpsClient.Key':               { type: 'string',   default: '',         meaning: 'PEM file of its private key.' },
  'HttpsClient.SSLEngine':         { type: 'refused',  default: '',         instead: 'give Key as a PEM file', meaning: 'Refused: keys of TLS come from PEM files.' },
  'Security.AuthPrivateKey':       { type: 'string',   default: '',         meaning: 'The device key where it was made elsewhere, which this client never replaces: a PEM file, or a pkcs11: URI, whose key signs by the openssl program.' },
  'Security.SSLEngine':            { type: 'string',   default: '',         meaning: 'OpenSSL engine that AuthPrivateKey is given to, such as pkcs11 or tpm2tss. Without it a pkcs11: URI is given to the providers OpenSSL is set up with.' },
  'Security.SignCommand':          { type: 'string',   default: '',         meaning: 'Shell command that signs with a key only it can reach: the bytes on its stdin, the signature on its stdout, as it is or in base64. Exclusive with AuthPrivateKey. (Tandem only.)' },
  'Security.PublicKey':            { type: 'string',   default: '',         meaning: 'PEM file of the public key that belongs to SignCommand. (Tandem only.)' },
  'Security.PublicKeyCommand':     { type: 'string',   default: '',         meaning: 'Shell command that prints that public key, as PEM or DER, instead of PublicKey. (Tandem only.)' },
  RootfsPartA:                     { type: 'string',   default: '',         meaning: 'First root file system: a device, its /dev/disk/by-… link, or a plain file.' },
  RootfsPartB:                     { type: 'string',   default: '',         meaning: 'Second root file system.' },
  BootEnvironment:                 { type: 'choice',   default: 'auto',     choices: ['auto', 'u-boot', 'u-boot-two-copies', 'grub', 'fw-tools', 'in-memory'], meaning: 'How bootloader variables are reached: auto: the tools where they are installed, else whichever of the next three the device has; u-boot: two redundant copies, directly, as fw_env.config says; u-boot-two-copies: two plain copies, likewise, for a U-Boot that tries the second when the first is damaged; grub: mender_grubenv1 and mender_grubenv2, directly, where mender_grubenv.config says; fw-tools: by fw_printenv and fw_setenv, or those of GRUB; in-memory: trials without a bootloader. (Tandem only.)' },
  VerifyWrites:                    { type: 'boolean',  default: true,       meaning: 'Read an image back from its partition, past the cache, before the bootloader is told of it. Without it a medium that does not hold what was written is found by the trial boot at the earliest. (Tandem only.)' },
  PayloadKiBPerSecond:             { type: 'whole',    default: 0,          minimum: 0, maximum: 10485760, meaning: 'Most KiB of payload, unpacked, that are installed in a second, and with them what is downloaded and written; 0: as fast as it goes. (Tandem only.)' },
  'DBus.Enabled':                  { type: 'boolean',  default: true,       meaning: 'Give tokens to other programs of this device over the system bus, or ask mender-auth there for them.' },
  'Connectivity.DisableKeepAlive': { type: 'unused',   default: '',         meaning: 'Without effect: each request has a connection of its own.' },
  'Connectivity.IdleConnTimeoutSeconds': { type: 'unused',   default: '',         meaning: 'Without effect: each request has a connection of its own.' },
  UpdateControlMapExpirationTimeSeconds: { type: 'unused',   default: '',         meaning: 'Without effect: there are no update control maps.' },
  UpdateControlMapBootExpirationTimeSeconds: { type: 'unused',   default: '',         meaning: 'Without effect: there are no update control maps.' },
  BootUtilitiesSetActivePart:      { type: 'unused',   default: '',         meaning: 'Without effect: see BootEnvironment.' },
  BootUtilitiesGetNextActivePart:  { type: 'unused',   default: '',         meaning: 'Without effect: see BootEnvironment.' },
} as const satisfies Readonly<Record<string, KeyDescription>>;

export type KeyName = keyof typeof configurationKeys;

export type KeyDescription = { readonly meaning: string } & (
  | { readonly type: 'string' | 'url' | 'unused'; readonly default: string }
  | { readonly type: 'refused'; readonly default: string; readonly instead: string }
  | { readonly type: 'boolean'; readonly default: boolean }
  | { readonly type: 'interval'; readonly default: number }
  | { readonly type: 'whole'; readonly default: number; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'strings' | 'servers'; readonly default: readonly string[] }
  | { readonly type: 'choice'; readonly default: string; readonly choices: readonly string[] }
);

/** All keys with their values: given or default. Intervals are in seconds, as in the file; Servers are their URLs. */
export type Configuration = { readonly [Name in KeyName]: ValueOf<(typeof configurationKeys)[Name]> };

type ValueOf<Description> = Description extends { choices: readonly (infer Choice)[] }
  ? Choice
  : Description extends { type: 'strings' | 'servers' }
    ? readonly string[]
    : Description extends { default: infer Default }
      ? Widened<Default>
      : never;

type Widened<Value> = Value extends string ? string : Value extends number ? number : boolean;
