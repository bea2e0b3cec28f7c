/**
 * What deployments are to do, as simply as it can be said: everything in memory, gone through from the start each time. The server is
 * compared with it.
 */
export interface Model {
  readonly deployments: readonly ModelDeployment[];
}

interface ModelDeployment {
  readonly targets: readonly number[];
  readonly isAborted: boolean;
  /** In the order they began; a device's last one counts. */
  readonly parts: readonly ModelPart[];
}

interface ModelPart {
  readonly device: number;
  readonly status: string;
  /** The artifact it ran when it first asked; undefined before. */
  readonly asked: string | undefined;
  readonly isForgotten: boolean;
}

export type Command =
  | { readonly kind: 'create'; readonly targets: readonly number[] }
  | { readonly kind: 'poll'; readonly device: number; readonly runs: string }
  | { readonly kind: 'report'; readonly device: number; readonly deployment: number; readonly status: string }
  | { readonly kind: 'abort'; readonly deployment: number }
  | { readonly kind: 'abortDevice'; readonly device: number }
  | { readonly kind: 'forget'; readonly device: number }
  | { readonly kind: 'decommission'; readonly device: number };

export const reportable = [
  'downloading',
  'installing',
  'rebooting',
  'success',
  'failure',
  'already-installed',
] as const;
const active = new Set(['pending', 'downloading', 'installing', 'rebooting']);
const closed = new Set(['aborted', 'decommissioned']);

/** What becomes of it, and the HTTP status of the answer. A command for a deployment that is not there yet does nothing. */
export function applied(model: Model, command: Command): { readonly model: Model; readonly status: number } {
  const { deployments } = model;
  switch (command.kind) {
    case 'create':
      return done(
        { deployments: [...deployments, { targets: command.targets, isAborted: false, parts: [] }] },
        201,
      );
    case 'poll':
      return polled(model, command.device, command.runs);
    case 'report': {
      const part = lastPart(deployments[command.deployment], command.device);
      if (part === undefined) return done(model, 404);
      if (closed.has(part.status)) return done(model, 409);
      return done(withStatus(model, command.deployment, command.device, command.status), 204);
    }
    case 'abort': {
      const aborted = deployments[command.deployment];
      if (aborted === undefined || statusOf(aborted) === 'finished') return done(model, 422);
      const parts = aborted.parts.map((part) =>
        active.has(part.status) ? { ...part, status: 'aborted' } : part,
      );
      return done(replaced(model, command.deployment, { ...aborted, isAborted: true, parts }), 204);
    }
    case 'abortDevice': {
      const ended = endAll(model, command.device, 'aborted');
      const next = nextFor(ended, command.device);
      return done(next === undefined ? ended : begun(ended, next, command.device, 'aborted'), 204);
    }
    case 'forget':
      return done(
        changed(model, (part) =>
          part.device === command.device && !active.has(part.status) ? { ...part, isForgotten: true } : part,
        ),
        204,
      );
    case 'decommission': {
      const ended = endAll(model, command.device, 'decommissioned');
      return done(
        ended.deployments.reduce(
          (sofar, deployment, index) =>
            deployment.targets.includes(command.device) &&
            statusOf(deployment) !== 'finished' &&
            lastPart(deployment, command.device) === undefined
              ? begun(sofar, index, command.device, 'decommissioned')
              : sofar,
          ended,
        ),
        204,
      );
    }
  }
}

/** How many devices are in which status; none of those with no device. */
export function countsOf(deployment: ModelDeployment): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const device of deployment.targets) {
    const status = lastPart(deployment, device)?.status ?? (deployment.isAborted ? undefined : 'pending');
    if (status !== undefined) counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

export function statusOf(deployment: ModelDeployment): 'pending' | 'inprogress' | 'finished' {
  if (deployment.isAborted) return 'finished';
  const counts = Object.entries(countsOf(deployment));
  if (counts.every(([status]) => !active.has(status))) return 'finished';
  return counts.some(([status]) => status !== 'pending' && status !== 'decommissioned')
    ? 'inprogress'
    : 'pending';
}

function polled(
  model: Model,
  device: number,
  runs: string,
): { readonly model: Model; readonly status: number } {
  const at = model.deployments.findIndex((one) => active.has(lastPart(one, device)?.status ?? ''));
  const index = at === -1 ? nextFor(model, device) : at;
  if (index === undefined) return done(model, 204);
  const started = at === -1 ? begun(model, index, device, 'pending') : model;
  const part = lastPart(started.deployments[index], device);
  if (part?.asked !== undefined && part.asked !== runs)
    return done(withStatus(started, index, device, 'failure'), 409);
  const isNew = part?.asked === undefined;
  const noted = changedLast(started, index, device, (one) => ({ ...one, asked: runs }));
  // Only the first answer finds that it is installed; later ones repeat what was given.
  return isNew && runs === 'r' && part?.status === 'pending'
    ? done(withStatus(noted, index, device, 'already-installed'), 204)
    : done(noted, 200);
}

/** The oldest that goes on, is for the device, and is newer than all that the device has ended. */
function nextFor({ deployments }: Model, device: number): number | undefined {
  const ended = deployments.findLastIndex(({ parts }) =>
    parts.some((part) => part.device === device && !active.has(part.status) && !part.isForgotten),
  );
  const index = deployments.findIndex(
    (one, at) => at > ended && one.targets.includes(device) && statusOf(one) !== 'finished',
  );
  return index === -1 ? undefined : index;
}

const lastPart = (deployment: ModelDeployment | undefined, device: number): ModelPart | undefined =>
  deployment?.parts.findLast((part) => part.device === device);

const begun = (model: Model, index: number, device: number, status: string): Model =>
  changedAt(model, index, (one) => ({
    ...one,
    parts: [...one.parts, { device, status, asked: undefined, isForgotten: false }],
  }));

const withStatus = (model: Model, index: number, device: number, status: string): Model =>
  changedLast(model, index, device, (part) => ({ ...part, status }));

const endAll = (model: Model, device: number, status: string): Model =>
  changed(model, (part) => (part.device === device && active.has(part.status) ? { ...part, status } : part));

function changedLast(
  model: Model,
  index: number,
  device: number,
  change: (part: ModelPart) => ModelPart,
): Model {
  return changedAt(model, index, (one) => {
    const last = one.parts.findLastIndex((part) => part.device === device);
    return { ...one, parts: one.parts.map((part, at) => (at === last ? change(part) : part)) };
  });
}

const changed = (model: Model, change: (part: ModelPart) => ModelPart): Model => ({
  deployments: model.deployments.map((one) => ({ ...one, parts: one.parts.map(change) })),
});

const changedAt = (
  model: Model,
  index: number,
  change: (one: ModelDeployment) => ModelDeployment,
): Model => ({
  deployments: model.deployments.map((one, at) => (at === index ? change(one) : one)),
});

const replaced = (model: Model, index: number, by: ModelDeployment): Model =>
  changedAt(model, index, () => by);

const done = (model: Model, status: number) => ({ model, status });
