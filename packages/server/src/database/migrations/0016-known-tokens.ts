export const knownTokens = {
  name: 'known tokens',
  // The token by its digest: one look-up where a signature would be verified. Null for tokens of before, which are proven by theirs.
  sql: `
    ALTER TABLE device_tokens ADD COLUMN digest TEXT;
    ALTER TABLE device_tokens ADD COLUMN digest_expires INTEGER;
    ALTER TABLE device_tokens ADD COLUMN signed_by TEXT;
    CREATE INDEX device_tokens_by_digest
      ON device_tokens (digest, tenant, id, device_id, digest_expires, signed_by) WHERE digest IS NOT NULL;
  `,
};
