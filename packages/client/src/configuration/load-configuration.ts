import { ClientError } from '../client-error.ts';
import type { Files } from '../system/system.ts';
import { configurationKeys, type Configuration, type KeyName } from './configuration-keys.ts';
import { parseConfigurationText, type ConfigurationValue } from './configuration-values.ts';

export interface ConfigurationFile {
  readonly path: string;
  /** Named by a command line option: it must be there. A file at its usual place may be missing. */
  readonly named: boolean;
}

/**
 * Defaults, overlaid by the fallback file, overlaid by the main file, key by key (client contract 5.1); lists replace lists.
 *
 * Throws `ClientError` `badConfiguration` with every problem of both files: the client does not run half-configured. What has no
 * effect is told to `warn`.
 */
export async function loadConfiguration(
  files: Pick<Files, 'read'>,
  { main, fallback }: { readonly main: ConfigurationFile; readonly fallback: ConfigurationFile },
  warn: (message: string) => void = () => undefined,
): Promise<Configuration> {
  const given = new Map<KeyName, ConfigurationValue>();
  const problems: string[] = [];
  for (const file of [fallback, main]) {
    const text = await readText(files, file, problems);
    if (text === undefined) continue;
    const parsed = parseConfigurationText(text);
    problems.push(...parsed.problems.map((problem) => `${file.path}: ${problem}`));
    for (const warning of parsed.warnings) warn(`${file.path}: ${warning}`);
    for (const [name, value] of parsed.values) given.set(name, value);
  }
  problems.push(...conflicts(given));
  if (problems.length > 0) {
    throw new ClientError(
      'badConfiguration',
      `Cannot use the configuration; correct it and start again:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
  }
  const defaults = Object.entries(configurationKeys).map(([name, key]) => [name, key.default]);
  // Each value was checked against the description its type comes from.
  return Object.fromEntries([...defaults, ...given]) as Configuration;
}

/** Whole configuration files are a few hundred bytes; a megabyte is a mistake. */
const largestFileBytes = 1024 * 1024;

async function readText(
  files: Pick<Files, 'read'>,
  { path, named }: ConfigurationFile,
  problems: string[],
): Promise<string | undefined> {
  try {
    const bytes = await files.read(path, largestFileBytes);
    if (bytes === undefined && named) problems.push(`${path}: there is no such file`);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString();
  } catch (error) {
    problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function conflicts(given: ReadonlyMap<KeyName, ConfigurationValue>): string[] {
  const isSet = (name: KeyName) => {
    const value = given.get(name);
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== '';
  };
  const found: string[] = [];
  if (isSet('ServerURL') && isSet('Servers')) {
    found.push("Both 'Servers' AND 'ServerURL' given; keep one of them");
  }
  if (isSet('ArtifactVerifyKey') && isSet('ArtifactVerifyKeys')) {
    found.push("Both 'ArtifactVerifyKey' and 'ArtifactVerifyKeys' are set; keep one of them");
  }
  if (isSet('HttpsClient.Certificate') !== isSet('HttpsClient.Key')) {
    found.push("'HttpsClient.Certificate' and 'HttpsClient.Key' belong together; give both or neither");
  }
  if (isSet('Security.SignCommand')) {
    if (isSet('Security.AuthPrivateKey')) {
      found.push("Both 'Security.SignCommand' and 'Security.AuthPrivateKey' are set; keep one of them");
    }
    if (isSet('Security.PublicKey') === isSet('Security.PublicKeyCommand')) {
      found.push(
        "'Security.SignCommand' needs 'Security.PublicKey' or 'Security.PublicKeyCommand'; give one of the two",
      );
    }
  } else if (isSet('Security.PublicKey') || isSet('Security.PublicKeyCommand')) {
    found.push(
      "'Security.PublicKey' and 'Security.PublicKeyCommand' belong to 'Security.SignCommand'; give it, too",
    );
  }
  if (isSet('Security.SSLEngine') && !isSet('Security.AuthPrivateKey')) {
    found.push("'Security.SSLEngine' needs 'Security.AuthPrivateKey': the key that is given to the engine");
  }
  const tlsKey = given.get('HttpsClient.Key');
  if (typeof tlsKey === 'string' && tlsKey.startsWith('pkcs11:')) {
    found.push("'HttpsClient.Key' must be a PEM file: keys of TLS cannot be used where they lie in hardware");
  }
  return found;
}
