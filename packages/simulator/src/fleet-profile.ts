import { checker } from '@tandem/api';
import { Type, type Static } from 'typebox';
import { SimulatorError } from './simulator-error.ts';

const share = Type.Number({ minimum: 0, maximum: 1 });
const seconds = Type.Number({ minimum: 0, maximum: 604_800 });
const between = Type.Tuple([seconds, seconds]);
const name = Type.String({ minLength: 1, maxLength: 256 });

/** A kind of device in the fleet; what it leaves out is that of the profile's defaults. */
const Kind = Type.Object(
  {
    name,
    /** How many of the fleet are of it, in relation to the other kinds. */
    weight: Type.Number({ exclusiveMinimum: 0 }),
    deviceType: name,
    /** What it runs to begin with. */
    artifactName: name,
    pollSeconds: Type.Number({ minimum: 0.1, maximum: 604_800 }),
    inventorySeconds: Type.Number({ minimum: 0.1, maximum: 604_800 }),
    /** Between one request to be let in and the next. */
    retrySeconds: Type.Number({ minimum: 0.1, maximum: 604_800 }),
    bytesPerSecond: Type.Number({ minimum: 1 }),
    /** Least and most. */
    installSeconds: between,
    rebootSeconds: between,
    /** Chances, from 0 to 1, that a step of an update goes wrong; a cut download goes on where it stopped. */
    downloadIsCut: share,
    installFails: share,
    /** It comes back on its old system. */
    rebootFails: share,
    commitFails: share,
    /** Beside what every device tells: `{n}` stands for the number of the device. */
    inventory: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
  },
  { additionalProperties: false },
);
export type DeviceKind = Readonly<Static<typeof Kind>>;

const Profile = Type.Object(
  {
    defaults: Type.Optional(
      Type.Partial(Type.Omit(Kind, ['name', 'weight']), { additionalProperties: false }),
    ),
    kinds: Type.Array(Type.Intersect([Type.Pick(Kind, ['name']), Type.Partial(Type.Omit(Kind, ['name']))]), {
      minItems: 1,
      maxItems: 100,
    }),
  },
  { additionalProperties: false },
);
type Profile = Static<typeof Profile>;

const usual = {
  weight: 1,
  deviceType: 'simulated',
  artifactName: 'release-1',
  pollSeconds: 1800,
  inventorySeconds: 28_800,
  retrySeconds: 60,
  bytesPerSecond: 1_000_000,
  installSeconds: [5, 30],
  rebootSeconds: [20, 60],
  downloadIsCut: 0.01,
  installFails: 0.005,
  rebootFails: 0.005,
  commitFails: 0.005,
  inventory: {
    hostname: 'device-{n}',
    kernel: 'Linux 6.6',
    mem_total_kB: 948_304,
    os: 'Debian GNU/Linux 12',
  },
} as const satisfies Omit<DeviceKind, 'name'>;

/** What is simulated when nothing else is said: a fleet of three kinds, on links from good to bad. */
// prettier-ignore
export const defaultKinds: readonly DeviceKind[] = [
  { ...usual, name: 'gateways', weight: 70, deviceType: 'raspberrypi4', bytesPerSecond: 2_000_000 },
  { ...usual, name: 'kiosks',   weight: 20, deviceType: 'qemux86-64',   bytesPerSecond: 10_000_000, rebootSeconds: [30, 120] },
  { ...usual, name: 'buses',    weight: 10, deviceType: 'beaglebone',   bytesPerSecond: 100_000,    downloadIsCut: 0.3, installFails: 0.02 },
];

const profile = checker(Profile);
const kind = checker(Kind);

/** Kinds out of a profile in JSON. Throws a SimulatorError `badProfile` that names the faults. */
export function readProfile(text: string): readonly DeviceKind[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SimulatorError('badProfile', `the profile is not JSON: ${String(cause)}`, { cause });
  }
  if (!profile.accepts(value))
    throw new SimulatorError(
      'badProfile',
      `the profile is not understood: ${profile.faults(value).join('; ')}`,
    );
  const { defaults, kinds } = value as Profile;
  return kinds.map((one) => {
    const whole = { ...usual, ...defaults, ...one };
    if (!kind.accepts(whole))
      throw new SimulatorError(
        'badProfile',
        `kind ${one.name} is not understood: ${kind.faults(whole).join('; ')}`,
      );
    return whole as DeviceKind;
  });
}

/** The kind of the device of that number: kinds take turns by their weights, the same in each run. */
export function kindOf(kinds: readonly DeviceKind[], chance: number): DeviceKind {
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0);
  let left = chance * total;
  for (const one of kinds) {
    left -= one.weight;
    if (left < 0) return one;
  }
  const last = kinds.at(-1);
  if (last === undefined) throw new SimulatorError('badProfile', 'the profile has no kinds');
  return last;
}
