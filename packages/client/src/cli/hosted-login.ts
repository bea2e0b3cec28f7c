import type { IncomingMessage } from 'node:http';
import { ClientError } from '../client-error.ts';
import type { HttpRequest, SendHttp } from '../server-connection/http-exchange.ts';

const answerMs = 60_000;
const maxAnswerBytes = 256 * 1024;

/**
 * The organization's token, which its owner's devices show, from a server of several organizations (client contract 4.1): logs in
 * and asks. The password goes to the server alone. Throws `ClientError` `commandLine` when the server refuses, or gives no token.
 */
export async function hostedTenantToken(
  send: SendHttp,
  serverUrl: string,
  { username, password }: { readonly username: string; readonly password: string },
  signal: AbortSignal,
): Promise<string> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
  const ask = async (what: string, request: HttpRequest): Promise<string> => {
    const answer = await send(request, bounded);
    const text = await textOf(answer);
    if (answer.statusCode === 200) return text;
    if (answer.statusCode === 401)
      throw new ClientError('commandLine', `${serverUrl} does not know this e-mail address and password.`);
    throw new ClientError('commandLine', `Cannot ${what} at ${serverUrl}: it answered ${answer.statusCode}.`);
  };
  const session = await ask('log in', {
    method: 'POST',
    url: `${serverUrl}/api/management/v1/useradm/auth/login`,
    headers: { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
    body: new Uint8Array(),
  });
  const tenant = await ask("ask for the organization's token", {
    method: 'GET',
    url: `${serverUrl}/api/management/v1/tenantadm/user/tenant`,
    headers: { Authorization: `Bearer ${session.trim()}` },
  });
  const token = tokenIn(tenant);
  if (token !== undefined) return token;
  throw new ClientError(
    'commandLine',
    `${serverUrl} did not tell the organization's token. Give it with --tenant-token.`,
  );
}

function tokenIn(text: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== 'object' || answer === null || !('tenant_token' in answer)) return undefined;
    return typeof answer.tenant_token === 'string' && answer.tenant_token !== ''
      ? answer.tenant_token
      : undefined;
  } catch {
    return undefined;
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes)
      throw new ClientError('commandLine', `The server's answer has more than ${maxAnswerBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
