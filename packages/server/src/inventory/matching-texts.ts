import { createContext, Script } from 'node:vm';
import { ServerError } from '../server-error.ts';

const timeLimitMs = 200;

/**
 * The texts a pattern matches. The pattern comes from a user and may be one that takes for ever, so that it runs under a time
 * limit; throws `badRequest` when that is over.
 */
export function matchingTexts(pattern: RegExp, texts: readonly string[]): string[] {
  const context = createContext({ pattern, texts });
  try {
    const matches: unknown = script.runInContext(context, { timeout: timeLimitMs });
    return Array.isArray(matches) ? matches.map(String) : [];
  } catch (cause) {
    throw new ServerError(
      'badRequest',
      `value: the regular expression takes longer than ${timeLimitMs} ms.`,
      { cause },
    );
  }
}

const script = new Script('texts.filter((text) => pattern.test(text))');
