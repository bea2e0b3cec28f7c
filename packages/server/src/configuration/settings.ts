import { s3LocationForm } from '../object-storage/s3-location.ts';
import type { TypeName, ValueOf } from './value-types.ts';

/**
 * All settings of the server: this table is also their documentation (`--help`, the manual, the example of a configuration file) and
 * the list of options the command takes. Where a value comes from is decided in read-configuration.ts.
 */
// prettier-ignore
export const settings = {
  dataDirectory:    { option: 'data-dir',          type: 'path',      environment: 'TANDEM_DATA_DIR',          default: undefined,        help: 'Directory of everything the server keeps; made if missing. Required.' },
  database:         { option: 'database',          type: 'database',  environment: 'TANDEM_DATABASE',          default: undefined,        help: 'postgres://USER@HOST:PORT/NAME to keep the data in PostgreSQL 14 or newer; the servers on it share the data directory. The password may also come by PGPASSWORD or PGPASSFILE. Default: SQLite in the data directory.' },
  listen:           { option: 'listen',            type: 'address',   environment: 'TANDEM_LISTEN',            default: '127.0.0.1:8443', help: 'HOST:PORT to listen on; port 0 takes a free one.' },
  publicUrl:        { option: 'public-url',        type: 'url',       environment: 'TANDEM_PUBLIC_URL',        default: undefined,        help: 'URL devices and people reach the server by; download links begin with it. Default: what it listens on.' },
  tlsCertificate:   { option: 'tls-cert',          type: 'path',      environment: 'TANDEM_TLS_CERT',          default: undefined,        help: 'Certificate chain, PEM. Without one a certificate is made, with its own authority.' },
  tlsKey:           { option: 'tls-key',           type: 'path',      environment: 'TANDEM_TLS_KEY',           default: undefined,        help: 'Private key of the certificate, PEM.' },
  http:             { option: 'http',              type: 'flag',      environment: 'TANDEM_HTTP',              default: false,            help: 'Serve plain HTTP: for tests, or behind a proxy that ends TLS.' },
  requireSignature: { option: 'require-signature', type: 'flag',      environment: 'TANDEM_REQUIRE_SIGNATURE', default: false,            help: 'Refuse artifacts without a signature at the upload.' },
  nextV1Only:       { option: 'next-v1-only',      type: 'flag',      environment: 'TANDEM_NEXT_V1_ONLY',      default: false,            help: 'Answer the v2 request for updates with 404, as the open edition of Mender does.' },
  tokenCacheSize:   { option: 'token-cache-size',  type: 'count',     environment: 'TANDEM_TOKEN_CACHE_SIZE',  default: 100_000,          help: 'Proofs of signatures kept in memory: of users\' tokens, and of those that devices got from an older version.' },
  shutdownSeconds:  { option: 'shutdown-seconds',  type: 'count',     environment: 'TANDEM_SHUTDOWN_SECONDS',  default: 10,               help: 'How long requests under way may take to end when the server is stopped.' },
  storage:             { option: 'storage',               type: 'storage', environment: 'TANDEM_STORAGE',          default: undefined, help: `${s3LocationForm} to keep artifacts in a bucket that is there, of Amazon or at the endpoint; devices download from it by links that expire. Default: the data directory.` },
  storageAccessKey:    { option: 'storage-access-key',    type: 'secret',  environment: 'AWS_ACCESS_KEY_ID',       default: undefined, help: 'Access key of the bucket.' },
  storageSecretKey:    { option: 'storage-secret-key',    type: 'secret',  environment: 'AWS_SECRET_ACCESS_KEY',   default: undefined, help: 'Secret key of the bucket.' },
  storageSessionToken: { option: 'storage-session-token', type: 'secret',  environment: 'AWS_SESSION_TOKEN',       default: undefined, help: 'Of credentials for the bucket that are lent for a while.' },
  serveDownloads:      { option: 'serve-downloads',       type: 'flag',    environment: 'TANDEM_SERVE_DOWNLOADS',  default: false,     help: 'Let devices download through the server though artifacts are in a bucket: for devices that cannot reach it.' },
  storageLimit:        { option: 'storage-limit',         type: 'count',   environment: 'TANDEM_STORAGE_LIMIT',    default: 0,         help: 'Bytes that all artifacts of an organisation may take together; 0 for no limit.' },
  metricsListen:    { option: 'metrics-listen',    type: 'address',   environment: 'TANDEM_METRICS_LISTEN',    default: undefined,        help: 'HOST:PORT to serve /metrics on, over plain HTTP and to whoever can reach it: give an address of the machine or of a closed network. Default: metrics are not served.' },
  webInterface:     { option: 'web-interface',     type: 'path',      environment: 'TANDEM_WEB_INTERFACE',     default: undefined,        help: 'Directory of the built web interface. Default: the one that comes with the server.' },
  logFormat:        { option: 'log-format',        type: 'logFormat', environment: 'TANDEM_LOG_FORMAT',        default: 'text',           help: 'The log as lines of text, key=value, or as one JSON object a line.' },
} as const satisfies Record<string, Setting>;

export interface Setting {
  /** On the command line, `--option`; the same word is the name in the configuration file. */
  readonly option: string;
  readonly type: TypeName;
  readonly environment: string;
  readonly default: string | number | boolean | undefined;
  readonly help: string;
}

type Table = typeof settings;

/** The settings with their values: `undefined` only where the table has no default. */
export type Configuration = {
  readonly [Name in keyof Table]:
    ValueOf<Table[Name]['type']> | (Table[Name]['default'] extends undefined ? undefined : never);
};

/** Where `serve` and every other command look for a configuration file; there is none unless one is named. */
export const configurationFile = { option: 'config', environment: 'TANDEM_CONFIG' } as const;

/** A value that may be secret can be the content of a file, named by this option, or by the environment. */
export const secretFile = ({ option, environment }: Setting) =>
  ({ option: `${option}-file`, environment: `${environment}_FILE` }) as const;

/** Whether values of the setting may be secret. */
export const mayBeSecret = ({ type }: Setting): boolean => type === 'database' || type === 'secret';
