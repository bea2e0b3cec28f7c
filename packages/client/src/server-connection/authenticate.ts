import { ClientError } from '../client-error.ts';
import type { DeviceKey } from '../identity/device-key.ts';
import type { Clock, Log } from '../system/system.ts';
import { exchange, type HttpAnswer, type SendHttp } from './http-exchange.ts';
import { retryAfterMs } from './retry-after.ts';

/** A server that has accepted this device, and the token it gave. */
export interface Session {
  readonly serverUrl: string;
  readonly token: string;
}

export interface Credentials {
  readonly key: DeviceKey;
  /** Canonical JSON, see `identity-data.ts`. */
  readonly identityData: string;
  readonly tenantToken: string;
  readonly tier: string;
}

const path = '/api/devices/v1/authentication/auth_requests';
const largestAnswerBytes = 64 * 1024;

/**
 * Asks the servers, in order, to accept this device (client contract 7.3), until one does. Throws a `ClientError` that tells
 * of all of them, of code `unauthorized` when any answered that it does not know or accept the device.
 */
export async function authenticate(
  { send, log, clock }: { readonly send: SendHttp; readonly log: Log; readonly clock: Pick<Clock, 'now'> },
  servers: readonly string[],
  { key, identityData, tenantToken, tier }: Credentials,
  signal: AbortSignal,
): Promise<Session> {
  const body = Buffer.from(
    JSON.stringify({
      id_data: identityData,
      pubkey: key.publicKeyPem,
      ...(tenantToken === '' ? {} : { tenant_token: tenantToken }),
      tier,
    }),
  );
  const headers = {
    Accept: 'application/json',
    'Content-Type': 'application/json',
    'X-MEN-Signature': await key.sign(body, signal),
    Authorization: 'API_KEY',
  };
  const failures: ClientError[] = [];
  for (const serverUrl of servers) {
    try {
      const request = { method: 'POST', url: `${serverUrl}${path}`, headers, body } as const;
      const answer = await exchange(send, request, largestAnswerBytes, signal);
      const token = tokenOf(answer, serverUrl, clock.now());
      for (const { message } of failures) log('warning', message);
      log('info', `Authenticated with ${serverUrl}.`);
      return { serverUrl, token };
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      failures.push(error);
    }
  }
  throw allFailed(failures);
}

/** One error for all servers; that one of them knows us and says no weighs more than that others are not there. */
function allFailed(failures: readonly ClientError[]): ClientError {
  const worst = failures.find(({ code }) => code === 'unauthorized') ?? failures.at(-1);
  if (worst === undefined) {
    return new ClientError(
      'unreachable',
      'Cannot authenticate: no server is configured. Set ServerURL in mender.conf.',
    );
  }
  return new ClientError(worst.code, failures.map(({ message }) => message).join(' '), {
    status: worst.status,
    retryAfterMs: worst.retryAfterMs,
    cause: worst,
  });
}

/** A token is letters, digits and the signs of base64url between points; anything else must not get into a header. */
const tokenPattern = /^[A-Za-z0-9._~+/=-]+$/;

function tokenOf({ status, headers, body }: HttpAnswer, serverUrl: string, nowMs: number): string {
  const text = Buffer.from(body).toString().trim();
  if (status === 200) {
    if (tokenPattern.test(text)) return text;
    throw new ClientError('badAnswer', `Cannot authenticate with ${serverUrl}: the answer is not a token.`, {
      status,
    });
  }
  const told = errorTextOf(body);
  const reason = `it answered ${status}${told === undefined ? '' : ` (${told})`}`;
  if (status === 401) {
    throw new ClientError(
      'unauthorized',
      `Cannot authenticate with ${serverUrl}: ${reason}. Accept this device on the server.`,
      { status },
    );
  }
  throw new ClientError('refused', `Cannot authenticate with ${serverUrl}: ${reason}.`, {
    status,
    retryAfterMs: status === 429 || status === 503 ? retryAfterMs(headers['retry-after'], nowMs) : undefined,
  });
}

/** The `error` text of a JSON answer, cut to what a log line bears. */
export function errorTextOf(body: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString());
    if (typeof value !== 'object' || value === null || !('error' in value)) return undefined;
    return typeof value.error === 'string' ? value.error.slice(0, 300) : undefined;
  } catch {
    return undefined;
  }
}
