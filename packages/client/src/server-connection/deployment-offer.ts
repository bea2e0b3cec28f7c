import { ClientError } from '../client-error.ts';
import { isWebPage, webPageHint, type HttpAnswer } from './http-exchange.ts';
import type { DeploymentOffer } from './server-connection.ts';

/** Identifiers become names of files; what could leave a directory is no identifier. */
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The offer in the answer to a poll (client contract 9.1). Throws `ClientError` `badAnswer` naming all faults. */
export function parseDeploymentOffer({
  body,
  headers,
}: Pick<HttpAnswer, 'body' | 'headers'>): DeploymentOffer {
  const json = parseJson(body);
  if (json === undefined) {
    const hint = isWebPage(headers) ? webPageHint : '';
    throw new ClientError('badAnswer', `Cannot use the deployment the server offers: it is not JSON${hint}.`);
  }
  const faults: string[] = [];
  const root = objectOf(json);
  const artifact = objectOf(root['artifact']);
  const source = objectOf(artifact['source']);
  const deploymentId = textOf(root['id'], 'id', faults);
  const artifactName = textOf(artifact['artifact_name'], 'artifact.artifact_name', faults);
  const uri = textOf(source['uri'], 'artifact.source.uri', faults);
  const deviceTypes = textsOf(
    artifact['device_types_compatible'],
    'artifact.device_types_compatible',
    faults,
  );
  if (deploymentId !== '' && !idPattern.test(deploymentId)) faults.push('id is not an identifier');
  if (uri !== '' && !(URL.canParse(uri) && /^https?:/i.test(uri)))
    faults.push('artifact.source.uri is not an address');
  if (faults.length > 0) {
    throw new ClientError('badAnswer', `Cannot use the deployment the server offers: ${faults.join('; ')}.`);
  }
  return { deploymentId, artifactName, deviceTypes, uri };
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function textOf(value: unknown, name: string, faults: string[]): string {
  if (typeof value === 'string' && value !== '') return value;
  faults.push(`${name} is missing`);
  return '';
}

function textsOf(value: unknown, name: string, faults: string[]): readonly string[] {
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string')) return value;
  faults.push(`${name} is not a list of texts`);
  return [];
}
