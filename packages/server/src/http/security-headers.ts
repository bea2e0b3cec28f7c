/**
 * What goes with every answer, errors included (server contract 1.1 has the first two). An answer of the interface is no page: should
 * a browser show one all the same, it runs, loads and frames nothing. Pages of ours bring policies of their own.
 */
const always = {
  'x-content-type-options': 'nosniff',
  'x-xss-protection': '1; mode=block',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  // Tokens and device data are for the one who asked.
  'cache-control': 'no-store',
} as const;

/** Over HTTPS, browsers are told to never come by another way. */
export const securityHeaders = (isHttps: boolean): Readonly<Record<string, string>> =>
  isHttps
    ? { ...always, 'strict-transport-security': 'max-age=31536000; includeSubDomains; preload' }
    : always;
