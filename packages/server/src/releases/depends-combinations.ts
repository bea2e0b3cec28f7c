import { ArtifactUnusable } from './artifact-facts.ts';

/** So many rows does one artifact at most make; a hundred device types and ten versions fill it. */
export const maxCombinations = 1000;

/**
 * Every way to take one value for each depends key, each as canonical text (server contract 4.1). Two artifacts of a release that
 * share one could not be told apart by a device. Throws ArtifactUnusable when there are too many.
 */
export function dependsCombinations(depends: Readonly<Record<string, readonly string[]>>): string[] {
  const keys = Object.entries(depends)
    .map(([key, values]) => [key, [...new Set(values)]] as const)
    .filter(([, values]) => values.length > 0)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const count = keys.reduce((product, [, values]) => product * values.length, 1);
  if (count > maxCombinations) {
    throw new ArtifactUnusable(
      `the depends of the artifact have ${count} combinations, at most ${maxCombinations} are possible: make several artifacts of it`,
    );
  }
  return keys
    .reduce<[string, string][][]>(
      (combinations, [key, values]) =>
        combinations.flatMap((combination) =>
          values.map((value): [string, string][] => [...combination, [key, value]]),
        ),
      [[]],
    )
    .map((combination) => JSON.stringify(combination));
}

/** A combination as the error of a conflict shows it. */
export const combinationAsObject = (combination: string): Record<string, string> =>
  // Written by the function above.
  Object.fromEntries(JSON.parse(combination) as [string, string][]);
