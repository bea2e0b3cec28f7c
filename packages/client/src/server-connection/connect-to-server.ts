import { ClientError } from '../client-error.ts';
import type { Clock, Log } from '../system/system.ts';
import { errorTextOf, type Session } from './authenticate.ts';
import { parseDeploymentOffer } from './deployment-offer.ts';
import {
  exchange,
  isWebPage,
  webPageHint,
  withoutQuery,
  type HttpAnswer,
  type HttpRequest,
  type SendHttp,
} from './http-exchange.ts';
import { resumableDownload, type DownloadOptions } from './resumable-download.ts';
import { retryAfterMs } from './retry-after.ts';
import type { ServerConnection } from './server-connection.ts';
import type { SessionSource } from './session-source.ts';

export interface ServerConnectionOptions {
  readonly send: SendHttp;
  readonly clock: Clock;
  readonly log: Log;
  readonly sessions: SessionSource;
  readonly download: Pick<DownloadOptions, 'attempts' | 'longestWaitMs'>;
}

const deployments = '/api/devices/v1/deployments/device/deployments';
const deploymentsV2 = '/api/devices/v2/deployments/device/deployments';
const inventory = '/api/devices/v1/inventory/device/attributes';
const largestAnswerBytes = 1024 * 1024;

/**
 * The server over HTTP, as each endpoint is described in client contract 7 to 9 and 18. A
 * server that does not answer is left, so that the next request begins again at the head of the list.
 */
export function connectToServer(options: ServerConnectionOptions): ServerConnection & {
  /** Authenticates unless there is a token already. */
  authenticate(signal: AbortSignal): Promise<void>;
} {
  const { send, clock, log } = options;
  let session: Session | undefined;
  let acceptedInventory: string | undefined;

  const signIn = async (signal: AbortSignal): Promise<Session> => {
    const current = await options.sessions.current(signal);
    // A server that has just accepted us may be another than the one that knows our inventory.
    if (current.token !== session?.token) acceptedInventory = undefined;
    session = current;
    return current;
  };
  const leave = () => {
    if (session !== undefined) options.sessions.drop(session);
    session = undefined;
  };

  const once = async (call: Call, signal: AbortSignal): Promise<HttpAnswer> => {
    const { serverUrl, token } = await signIn(signal);
    const headers = {
      Accept: 'application/json',
      Authorization: `Bearer ${token}`,
      ...(call.json === undefined ? {} : { 'Content-Type': 'application/json' }),
    };
    const body = call.json === undefined ? {} : { body: Buffer.from(call.json) };
    const request: HttpRequest = { method: call.method, url: `${serverUrl}${call.path}`, headers, ...body };
    try {
      return await exchange(send, request, largestAnswerBytes, signal);
    } catch (error) {
      if (error instanceof ClientError && error.code === 'unreachable') leave();
      throw error;
    }
  };

  /** One call; on 401 a fresh token and one more (client contract 6.1). Throws unless the status is an expected one. */
  const request = async (
    call: Call,
    expected: readonly number[],
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    let answer = await once(call, signal);
    if (answer.status === 401) {
      leave();
      answer = await once(call, signal);
      if (answer.status === 401) leave();
    }
    if (expected.includes(answer.status)) return answer;
    throw unexpected(call, answer, clock.now());
  };

  return {
    authenticate: async (signal) => {
      await signIn(signal);
    },

    async nextDeployment(deviceProvides, signal) {
      for (const ask of waysToAsk(deviceProvides)) {
        const answer = await request(ask, [200, 204, 404, 405], signal);
        if (answer.status === 204) return 'nothingToDo';
        if (answer.status === 200) return parseDeploymentOffer(answer);
      }
      throw new ClientError('refused', 'The server knows none of the ways to ask for a deployment (404).', {
        status: 404,
      });
    },

    async reportStatus(deploymentId, status, signal) {
      const path = `${deployments}/${encodeURIComponent(deploymentId)}/status`;
      const answer = await request(
        { method: 'PUT', path, json: JSON.stringify({ status }) },
        [204, 409],
        signal,
      );
      return answer.status === 409 ? 'aborted' : 'accepted';
    },

    async uploadLog(deploymentId, messages, signal) {
      const path = `${deployments}/${encodeURIComponent(deploymentId)}/log`;
      await request({ method: 'PUT', path, json: JSON.stringify({ messages }) }, [204], signal);
    },

    async submitInventory(attributes, signal) {
      await signIn(signal);
      const json = JSON.stringify(attributes.map(({ name, value }) => ({ name, value })));
      if (json === acceptedInventory) {
        log('info', 'Inventory data unchanged, not submitting.');
        return;
      }
      await request({ method: 'PUT', path: inventory, json }, [200], signal);
      acceptedInventory = json;
    },

    download: (wanted, signal) =>
      resumableDownload(wanted, { send, clock, log, ...options.download }, signal),

    forgetToken: leave,
  };
}

interface Call {
  readonly method: HttpRequest['method'];
  readonly path: string;
  readonly json?: string;
}

/** The newest first; a server that does not know one answers 404, and the next is tried (client contract 9.1). */
function waysToAsk(provides: Readonly<Record<string, string>>): readonly Call[] {
  const query = new URLSearchParams({
    artifact_name: provides['artifact_name'] ?? '',
    device_type: provides['device_type'] ?? '',
  });
  return [
    { method: 'POST', path: `${deploymentsV2}/next`, json: JSON.stringify({ device_provides: provides }) },
    { method: 'POST', path: `${deployments}/next`, json: JSON.stringify(provides) },
    { method: 'GET', path: `${deployments}/next?${query.toString()}` },
  ];
}

function unexpected(call: Call, { status, headers, body }: HttpAnswer, nowMs: number): ClientError {
  const told = errorTextOf(body);
  const redirected = status >= 300 && status < 400 ? '; redirects are not followed, correct ServerURL' : '';
  return new ClientError(
    status === 401 ? 'unauthorized' : 'refused',
    `The server refused ${call.method} ${withoutQuery(call.path)} with ${status}` +
      `${told === undefined ? '' : ` (${told})`}${redirected}${isWebPage(headers) ? webPageHint : ''}.`,
    {
      status,
      retryAfterMs:
        status === 429 || status === 503 ? retryAfterMs(headers['retry-after'], nowMs) : undefined,
    },
  );
}
