import { ClientError } from '../client-error.ts';

/**
 * Throws when the device's provides do not meet what an artifact depends on (client contract 16, number 6): for each key the
 * device must provide one of the values listed.
 */
export function checkDepends(
  depends: Readonly<Record<string, readonly string[]>>,
  provides: Readonly<Record<string, string>>,
): void {
  for (const [key, accepted] of Object.entries(depends)) {
    if (!Object.hasOwn(provides, key)) {
      throw new ClientError('artifactRefused', `Missing '${key}' in provides, required by artifact depends`);
    }
    const value = provides[key] ?? '';
    if (!accepted.includes(value)) {
      throw new ClientError(
        'artifactRefused',
        `Provides value '${value}' doesn't match any of the '${key}' artifact depends (${accepted.join(', ')})`,
      );
    }
  }
}
