import { createHash, sign, verify } from 'node:crypto';
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

/** Reads tokens; `undefined` for whatever is not one of ours and in time. */
export type VerifyToken = (token: string, nowSeconds: number) => Claims | undefined;

/**
 * Verifies with a cache of proofs: keyed by the SHA-256 of the token, it holds that the signature was right and what was signed,
 * nothing of what may change (revocation, status). The expiry is looked at each time.
 */
export function tokenVerifier(keys: SigningKeys, maxCachedTokens: number): VerifyToken {
  const proven = new Map<string, Claims>();
  return (token, nowSeconds) => {
    const digest = createHash('sha256').update(token).digest('latin1');
    const claims = proven.get(digest) ?? provenClaims(token, keys);
    if (claims === undefined) return undefined;
    // Taken out and put in again: the map's order is then that of use.
    proven.delete(digest);
    if (claims.exp !== undefined && claims.exp <= nowSeconds) return undefined;
    proven.set(digest, claims);
    const oldest = proven.keys().next();
    if (proven.size > maxCachedTokens && !oldest.done) proven.delete(oldest.value);
    return claims;
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
