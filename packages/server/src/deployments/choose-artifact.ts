/** What a device says of itself. */
export interface DeviceProvides {
  readonly values: Readonly<Record<string, string>>;
  /**
   * Whether that is all it provides. A device that asks by the oldest request names only its type and its artifact: of any
   * other key nothing is known.
   */
  readonly complete: boolean;
}

export interface Candidate {
  readonly id: string;
  readonly sizeBytes: number;
  /** For each key the values of which the device must provide one; `device_type` is always among them. */
  readonly depends: Readonly<Record<string, readonly string[]>>;
}

export interface UnmetDepends {
  readonly key: string;
  readonly needs: readonly string[];
  /** Null when the device does not provide it. */
  readonly has: string | null;
}

type Fit = 'proven' | 'possible' | 'none';

/**
 * The artifact of a release that a device is to install (server contract 4.8, 10.6): all its depends are met, the smallest of
 * those, so that a delta is taken before a full image where it fits. What may fit, for all we know, comes only after what is
 * proven to. The order of the candidates does not matter. Undefined when none fits.
 */
export function chooseArtifact<C extends Candidate>(
  candidates: readonly C[],
  provides: DeviceProvides,
): C | undefined {
  const fits = candidates.map((candidate) => ({ candidate, fit: fitOf(candidate, provides) }));
  return (['proven', 'possible'] as const)
    .map((wanted) => fits.filter(({ fit }) => fit === wanted).map(({ candidate }) => candidate))
    .map((fitting) => fitting.toSorted(bySize)[0])
    .find((candidate) => candidate !== undefined);
}

function fitOf({ depends }: Candidate, { values, complete }: DeviceProvides): Fit {
  // An artifact for no type of device is for none.
  if (!Object.hasOwn(depends, 'device_type')) return 'none';
  const fits = Object.entries(depends).map(([key, allowed]): Fit => {
    const provided = Object.hasOwn(values, key) ? values[key] : undefined;
    if (provided !== undefined) return allowed.includes(provided) ? 'proven' : 'none';
    return complete || key === 'device_type' ? 'none' : 'possible';
  });
  return fits.includes('none') ? 'none' : fits.includes('possible') ? 'possible' : 'proven';
}

/**
 * Why a candidate is not for the device: the first of its depends, by key, that is not met; what the device provides otherwise
 * comes before what it does not provide at all.
 */
export function unmetDepends({ depends }: Candidate, { values }: DeviceProvides): UnmetDepends | undefined {
  const unmet = Object.entries(depends)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, needs]) => ({ key, needs, has: Object.hasOwn(values, key) ? (values[key] ?? null) : null }))
    .filter(({ needs, has }) => has === null || !needs.includes(has));
  return unmet.find(({ has }) => has !== null) ?? unmet[0];
}

const bySize = (a: Candidate, b: Candidate): number =>
  a.sizeBytes - b.sizeBytes || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
