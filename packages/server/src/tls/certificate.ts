import { X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { writeDurably } from '../write-durably.ts';

/** PEM texts. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface SelfMadeCertificate extends Certificate {
  /** What a device's `ServerCertificate` and a person's browser are given to trust. */
  readonly authorityPath: string;
  /** PEM. */
  readonly authority: string;
  /** SHA-256 of the authority's certificate, as browsers show it. */
  readonly authorityFingerprint: string;
}

const authorityDays = 3650;
const serverDays = 365;
const renewBeforeDays = 30;
const dayMs = 86_400_000;

/**
 * A certificate of our own for these names, made once and kept in `directory`: an authority (`ca.pem`) that devices are told to
 * trust, and a certificate signed by it, which is made anew when names change or its end comes near. Keys are for the owner alone.
 */
export async function selfMadeCertificate(
  directory: string,
  names: readonly string[],
  clock: Clock,
): Promise<SelfMadeCertificate> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const authority = await keptOr(directory, 'ca', () => makeAuthority(clock()));
  const stored = await read(directory, 'server');
  const isGood = stored !== undefined && serves(stored.cert, authority.cert, names, clock());
  const server = isGood ? stored : await makeServerCertificate(authority, names, clock());
  if (!isGood) await write(directory, 'server', server);
  return {
    ...server,
    cert: `${server.cert.trim()}\n${authority.cert.trim()}\n`,
    authorityPath: join(directory, 'ca.pem'),
    authority: authority.cert,
    authorityFingerprint: new X509Certificate(authority.cert).fingerprint256,
  };
}

function serves(cert: string, authority: string, names: readonly string[], now: number): boolean {
  const certificate = new X509Certificate(cert);
  return (
    certificate.checkIssued(new X509Certificate(authority)) &&
    Date.parse(certificate.validTo) - now > renewBeforeDays * dayMs &&
    names.every(
      (name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined,
    )
  );
}

async function makeAuthority(now: number): Promise<Certificate> {
  const { default: selfSigned } = await import('selfsigned');
  const { cert, private: key } = await selfSigned.generate(
    [{ name: 'commonName', value: `Tandem ${new Date(now).toISOString()}` }],
    {
      ...validity(now, authorityDays),
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      ],
    },
  );
  return { cert, key };
}

async function makeServerCertificate(
  ca: Certificate,
  names: readonly string[],
  now: number,
): Promise<Certificate> {
  const { default: selfSigned } = await import('selfsigned');
  const altNames = names.map((name) =>
    isIP(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name },
  );
  const { cert, private: key } = await selfSigned.generate([{ name: 'commonName', value: 'Tandem server' }], {
    ...validity(now, serverDays),
    ca,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames },
    ],
  });
  return { cert, key };
}

// A device's clock may be behind: it begins a day ago.
const validity = (now: number, days: number) => ({
  keyType: 'ec' as const,
  curve: 'P-256' as const,
  algorithm: 'sha256',
  notBeforeDate: new Date(now - dayMs),
  notAfterDate: new Date(now + days * dayMs),
});

async function keptOr(
  directory: string,
  name: string,
  make: () => Promise<Certificate>,
): Promise<Certificate> {
  const kept = await read(directory, name);
  if (kept !== undefined) return kept;
  const made = await make();
  await write(directory, name, made);
  return made;
}

async function read(directory: string, name: string): Promise<Certificate | undefined> {
  try {
    const [cert, key] = await Promise.all([
      readFile(join(directory, `${name}.pem`), 'utf8'),
      readFile(join(directory, `${name}-key.pem`), 'utf8'),
    ]);
    return { cert, key };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

// The key first: a certificate without its key would be taken for a whole one by nobody.
async function write(directory: string, name: string, { cert, key }: Certificate): Promise<void> {
  await writeDurably(join(directory, `${name}-key.pem`), key, 0o600);
  await writeDurably(join(directory, `${name}.pem`), cert, 0o644);
}
