import { rootCertificates, createSecureContext } from 'node:tls';
import { ClientError } from '../client-error.ts';
import type { Log, Files } from '../system/system.ts';
import type { HttpTrust } from './begin-request.ts';

export interface TrustOptions {
  /** PEM file of certificates trusted beside the system's; '' for none. */
  readonly serverCertificate: string;
  readonly skipVerify: boolean;
  /** PEM files of the certificate shown to the server and its key; '' for none. */
  readonly clientCertificate: string;
  readonly clientKey: string;
}

/** Where the distributions keep the certificates the system trusts, in one file. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

const largestPemBytes = 4 * 1024 * 1024;

/**
 * Which servers are believed, and how this device shows who it is. The system's list counts, as its owner keeps it; Node's own
 * list only where the system has none.
 *
 * A server certificate that cannot be loaded is a warning (client contract 6.1): the system's list may do. A client
 * certificate that cannot be loaded throws `ClientError`.
 */
export async function loadTrust(
  files: Pick<Files, 'read'>,
  options: TrustOptions,
  log: Log,
): Promise<HttpTrust> {
  const authorities: string[] = await systemAuthorities(files);
  if (options.serverCertificate !== '') {
    const pem = await readPem(files, options.serverCertificate);
    const fault = typeof pem === 'string' ? faultOfAuthority(pem) : pem.fault;
    if (fault === undefined && typeof pem === 'string') authorities.push(pem);
    else log('warning', `ServerCertificate ${options.serverCertificate} is not used: ${fault}.`);
  }
  if (options.skipVerify)
    log('warning', 'SkipVerify is set: anyone can stand between this device and its server.');
  return {
    verifyServer: !options.skipVerify,
    secureContext: createSecureContext({ ca: authorities, ...(await clientIdentity(files, options)) }),
  };
}

async function systemAuthorities(files: Pick<Files, 'read'>): Promise<string[]> {
  for (const bundle of systemBundles) {
    const pem = await readPem(files, bundle);
    if (typeof pem === 'string' && pem.includes('BEGIN CERTIFICATE')) return [pem];
  }
  return [...rootCertificates];
}

async function clientIdentity(
  files: Pick<Files, 'read'>,
  { clientCertificate, clientKey }: TrustOptions,
): Promise<{ cert: string; key: string } | object> {
  if (clientCertificate === '') return {};
  const [cert, key] = await Promise.all([readPem(files, clientCertificate), readPem(files, clientKey)]);
  if (typeof cert === 'string' && typeof key === 'string') {
    try {
      createSecureContext({ cert, key });
      return { cert, key };
    } catch (error) {
      throw badClientIdentity(
        clientCertificate,
        clientKey,
        error instanceof Error ? error.message : String(error),
      );
    }
  }
  const fault = typeof cert === 'object' ? cert.fault : typeof key === 'object' ? key.fault : '';
  throw badClientIdentity(clientCertificate, clientKey, fault);
}

function badClientIdentity(certificate: string, key: string, reason: string): ClientError {
  return new ClientError(
    'unreachable',
    `Cannot use the client certificate ${certificate} with the key ${key}: ${reason}. Correct HttpsClient in mender.conf.`,
  );
}

async function readPem(files: Pick<Files, 'read'>, path: string): Promise<string | { fault: string }> {
  try {
    const bytes = await files.read(path, largestPemBytes);
    return bytes === undefined ? { fault: `${path} does not exist` } : Buffer.from(bytes).toString();
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

function faultOfAuthority(pem: string): string | undefined {
  if (!pem.includes('BEGIN CERTIFICATE')) return 'it holds no PEM certificate';
  try {
    createSecureContext({ ca: pem });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
