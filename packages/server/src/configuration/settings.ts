/**
 * All settings of `tandem-server serve`: this table is also their documentation (`--help`) and the list of options the command
 * takes. A value comes from the option, else from the environment, else from the default.
 */
// prettier-ignore
export const settings = {
  dataDirectory:    { option: 'data-dir',   type: 'path',     environment: 'TANDEM_DATA_DIR',         default: undefined,        help: 'Directory of everything the server keeps; made if missing. Required.' },
  database:         { option: 'database',   type: 'database', environment: 'TANDEM_DATABASE',         default: undefined,        help: 'postgres://USER@HOST:PORT/NAME to keep the data in PostgreSQL 14 or newer; the servers on it share the data directory. Give the password by PGPASSWORD or PGPASSFILE, or give the whole URL by the environment: options are seen by every user of the machine. Default: SQLite in the data directory.' },
  listen:           { option: 'listen',     type: 'address',  environment: 'TANDEM_LISTEN',           default: '127.0.0.1:8443', help: 'HOST:PORT to listen on; port 0 takes a free one.' },
  publicUrl:        { option: 'public-url', type: 'url',      environment: 'TANDEM_PUBLIC_URL',       default: undefined,        help: 'URL devices and people reach the server by; download links begin with it. Default: what it listens on.' },
  tlsCertificate:   { option: 'tls-cert',   type: 'path',     environment: 'TANDEM_TLS_CERT',         default: undefined,        help: 'Certificate chain, PEM. Without one a certificate is made, with its own authority.' },
  tlsKey:           { option: 'tls-key',    type: 'path',     environment: 'TANDEM_TLS_KEY',          default: undefined,        help: 'Private key of the certificate, PEM.' },
  http:             { option: 'http',       type: 'flag',     environment: 'TANDEM_HTTP',             default: false,            help: 'Serve plain HTTP: for tests, or behind a proxy that ends TLS.' },
  requireSignature: { option: 'require-signature',  type: 'flag',  environment: 'TANDEM_REQUIRE_SIGNATURE',  default: false,          help: 'Refuse artifacts without a signature at the upload.' },
  nextV1Only:       { option: 'next-v1-only',       type: 'flag',  environment: 'TANDEM_NEXT_V1_ONLY',       default: false,          help: 'Answer the v2 request for updates with 404, as the open edition of Mender does.' },
  tokenCacheSize:   { option: 'token-cache-size',   type: 'count', environment: 'TANDEM_TOKEN_CACHE_SIZE',   default: 100_000,        help: 'Verified tokens kept in memory; give at least the number of devices.' },
  shutdownSeconds:  { option: 'shutdown-seconds',   type: 'count', environment: 'TANDEM_SHUTDOWN_SECONDS',   default: 10,             help: 'How long requests under way may take to end when the server is stopped.' },
} as const satisfies Record<string, Setting>;

export interface Setting {
  readonly option: string;
  readonly type: 'path' | 'address' | 'url' | 'database' | 'flag' | 'count';
  readonly environment: string;
  readonly default: string | number | boolean | undefined;
  readonly help: string;
}

interface ValueOfType {
  readonly path: string;
  readonly address: string;
  readonly url: string;
  readonly database: string;
  readonly flag: boolean;
  readonly count: number;
}

type Table = typeof settings;

/** The settings with their values: `undefined` only where the table has no default. */
export type Configuration = {
  readonly [Name in keyof Table]:
    ValueOfType[Table[Name]['type']] | (Table[Name]['default'] extends undefined ? undefined : never);
};

/** The table as text, one setting a paragraph. */
export const settingsHelp = (): string =>
  Object.values<Setting>(settings)
    .map(({ option, type, environment, default: fallback, help }) => {
      const value = type === 'flag' ? '' : ` ${type.toUpperCase()}`;
      const standard = fallback === undefined || type === 'flag' ? '' : ` Default: ${String(fallback)}.`;
      return `  --${option}${value}\n      ${help}${standard} (${environment})`;
    })
    .join('\n');
