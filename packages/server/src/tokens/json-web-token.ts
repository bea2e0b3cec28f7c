import { hash, sign, verify } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { checker } from '@tandem/api';
import type { SigningKey, SigningKeys } from './signing-keys.ts';

/** What a token says (server contract 2.2 and 5.1). Instants in whole seconds. */
export const Claims = Type.Object({
  jti: Type.String({ minLength: 1 }),
  sub: Type.String({ minLength: 1 }),
  iss: Type.String(),
  iat: Type.Number(),
  nbf: Type.Optional(Type.Number()),
  exp: Type.Optional(Type.Number()),
  scp: Type.Optional(Type.String()),
  'mender.tenant': Type.Optional(Type.String()),
  'mender.device': Type.Optional(Type.Boolean()),
  'mender.user': Type.Optional(Type.Boolean()),
  'mender.plan': Type.Optional(Type.String()),
  'mender.trial': Type.Optional(Type.Boolean()),
  'mender.addons': Type.Optional(Type.Array(Type.Object({ name: Type.String(), enabled: Type.Boolean() }))),
});
export type Claims = Static<typeof Claims>;

const Header = Type.Object({ alg: Type.String(), kid: Type.Integer() });
const header = checker(Header);
const claimsCheck = checker(Claims);

export function signToken(claims: Claims, { signing }: SigningKeys): string {
  const head = encode({ alg: signing.algorithm, typ: 'JWT', kid: signing.id });
  const signed = `${head}.${encode(claims)}`;
  return `${signed}.${signature(signed, signing).toString('base64url')}`;
}

/** A token, and by what it is known when it comes back. */
export interface IssuedToken {
  readonly token: string;
  readonly digest: string;
  /** The fingerprint of the key. */
  readonly signedBy: string;
}

export const issueToken = (claims: Claims, keys: SigningKeys): IssuedToken => {
  const token = signToken(claims, keys);
  return { token, digest: tokenDigest(token), signedBy: keys.signing.fingerprint };
};

/** By which a token that we issued is known again: SHA-256 of the whole of it, its signature included, base64url. */
export const tokenDigest = (token: string): string => hash('sha256', token, 'base64url');

/** What a proven token says, as far as anybody asks. */
export type Proven = Pick<
  Claims,
  'jti' | 'sub' | 'exp' | 'scp' | 'mender.tenant' | 'mender.device' | 'mender.user'
>;

/** Reads tokens; `undefined` for whatever is not one of ours and in time. */
export type VerifyToken = (token: string, nowSeconds: number) => Proven | undefined;

/**
 * Verifies with a cache of proofs: keyed by the SHA-256 of the token, it holds that the signature was right and what was signed,
 * nothing of what may change (revocation, status). The expiry is looked at each time.
 */
export function tokenVerifier(keys: SigningKeys, maxCachedTokens: number): VerifyToken {
  // Two halves, the newer filled from the older as tokens are used: what the older still holds when the newer is full was not.
  // To keep the order of use exactly would cost more than the proof's look-up.
  const half = Math.max(1, Math.ceil(maxCachedTokens / 2));
  let newer = new Map<string, Proven>();
  let older = new Map<string, Proven>();
  const keep = (digest: string, proven: Proven): void => {
    newer.set(digest, proven);
    if (newer.size <= half) return;
    older = newer;
    newer = new Map();
  };
  return (token, nowSeconds) => {
    const digest = tokenDigest(token);
    let proven = newer.get(digest);
    if (proven === undefined) {
      proven = older.get(digest) ?? provenBy(token, keys);
      if (proven !== undefined) keep(digest, proven);
    }
    return proven?.exp !== undefined && proven.exp <= nowSeconds ? undefined : proven;
  };
}

function provenBy(token: string, keys: SigningKeys): Proven | undefined {
  const claims = provenClaims(token, keys);
  if (claims === undefined) return undefined;
  const {
    jti,
    sub,
    exp,
    scp,
    'mender.tenant': tenant,
    'mender.device': device,
    'mender.user': user,
  } = claims;
  return {
    jti,
    sub,
    ...(exp === undefined ? {} : { exp }),
    ...(scp === undefined ? {} : { scp }),
    ...(tenant === undefined ? {} : { 'mender.tenant': tenant }),
    ...(device === undefined ? {} : { 'mender.device': device }),
    ...(user === undefined ? {} : { 'mender.user': user }),
  };
}

function provenClaims(token: string, keys: SigningKeys): Claims | undefined {
  const [head, body, mac, ...rest] = token.split('.');
  if (head === undefined || body === undefined || mac === undefined || rest.length > 0) return undefined;
  const stated = decode(head);
  if (!header.accepts(stated)) return undefined;
  const { alg, kid } = stated as Static<typeof Header>;
  const key = keys.all.find(({ id }) => id === kid);
  // The algorithm is the key's, whatever the token says: it may only agree.
  if (key === undefined || alg !== key.algorithm) return undefined;
  if (!isSigned(`${head}.${body}`, Buffer.from(mac, 'base64url'), key)) return undefined;
  const claims = decode(body);
  return claimsCheck.accepts(claims) ? (claims as Claims) : undefined;
}

const digestOf = { RS256: 'sha256', EdDSA: null } as const;

const signature = (text: string, { algorithm, privateKey }: SigningKey): Buffer =>
  sign(digestOf[algorithm], Buffer.from(text), privateKey);

const isSigned = (text: string, mac: Buffer, { algorithm, publicKey }: SigningKey): boolean =>
  verify(digestOf[algorithm], Buffer.from(text), publicKey, mac);

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const decode = (part: string): unknown => {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return undefined;
  }
};
