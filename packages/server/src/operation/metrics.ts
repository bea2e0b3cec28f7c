import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../database/open-database.ts';
import type { AnsweredRequest } from '../http/measure-requests.ts';
import type { FleetCounts } from './fleet-counts.ts';

export interface Metrics {
  /** What Prometheus reads. */
  readonly text: () => Promise<string>;
  readonly contentType: string;
  readonly requestAnswered: (request: AnsweredRequest) => void;
  /** A commit of so many units of work. */
  readonly committed: (units: number) => void;
  /** The same database, with its units of work counted. */
  readonly measured: (database: Database) => Database;
  /** Where the numbers of devices and deployments come from at each reading. */
  readonly countFleet: (counts: () => Promise<FleetCounts>) => void;
}

/** From a token that is known to a slow disk, in seconds. */
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
const units = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** Which endpoints are counted by what they mean, too, so that nobody has to know their paths. */
const meanings: Readonly<Record<string, 'poll' | 'upload' | 'download'>> = {
  getNextDeployment: 'poll',
  postNextDeployment: 'poll',
  postNextDeploymentV2: 'poll',
  uploadArtifact: 'upload',
  generateArtifact: 'upload',
  downloadArtifact: 'download',
};

/** A registry of its own, process figures and event-loop lag among them: nothing is shared with another server in the process. */
export function createMetrics({ version }: { readonly version: string }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Counter({
    name: 'tandem_http_requests_total',
    help: 'Requests answered, by the path of the endpoint',
    labelNames: ['method', 'route', 'status'] as const,
    registers,
  });
  const durations = new Histogram({
    name: 'tandem_http_request_duration_seconds',
    help: 'From the head of a request to the end of its answer, without streams of events',
    labelNames: ['method', 'route'] as const,
    buckets: seconds,
    registers,
  });
  const polls = new Counter({
    name: 'tandem_device_polls_total',
    help: 'Devices that asked for an update: offered one, nothing to do, refused',
    labelNames: ['answer'] as const,
    registers,
  });
  const uploads = new Counter({
    name: 'tandem_artifact_uploads_total',
    help: 'Artifacts sent to the server',
    labelNames: ['answer'] as const,
    registers,
  });
  const downloads = new Counter({
    name: 'tandem_artifact_downloads_total',
    help: 'Artifacts asked for through the server; ranges count each',
    labelNames: ['answer'] as const,
    registers,
  });
  const commits = new Histogram({
    name: 'tandem_database_commit_units',
    help: 'Units of work that shared a commit',
    buckets: units,
    registers,
  });
  const unitSeconds = new Histogram({
    name: 'tandem_database_unit_duration_seconds',
    help: 'From asking for a unit of work until it is durable',
    buckets: seconds,
    registers,
  });
  const waiting = new Gauge({
    name: 'tandem_database_units_waiting',
    help: 'Units of work that are asked for and not yet durable',
    registers,
  });
  const devices = new Gauge({
    name: 'tandem_devices',
    help: 'Devices by status, at most a minute old',
    labelNames: ['status'] as const,
    registers,
  });
  const deployments = new Gauge({
    name: 'tandem_deployments',
    help: 'Deployments by status, at most a minute old',
    labelNames: ['status'] as const,
    registers,
  });
  const info = new Gauge({
    name: 'tandem_build_info',
    help: 'Always 1',
    labelNames: ['version'] as const,
    registers,
  });
  info.set({ version }, 1);

  let fleet: () => Promise<FleetCounts> = () =>
    Promise.resolve({ devices: new Map(), deployments: new Map() });

  return {
    contentType: registry.contentType,
    text: async () => {
      const counts = await fleet();
      for (const [status, count] of counts.devices) devices.set({ status }, count);
      for (const [status, count] of counts.deployments) deployments.set({ status }, count);
      return registry.metrics();
    },
    requestAnswered: ({ endpoint, isEndless, method, route, status, seconds: took }) => {
      requests.inc({ method, route, status });
      if (!isEndless) durations.observe({ method, route }, took);
      switch (meanings[endpoint ?? '']) {
        case 'poll':
          polls.inc({ answer: status === 200 ? 'offer' : status === 204 ? 'nothing' : 'refused' });
          break;
        case 'upload':
          uploads.inc({ answer: status < 300 ? 'taken' : 'refused' });
          break;
        case 'download':
          downloads.inc({ answer: status < 400 ? 'served' : 'refused' });
          break;
        case undefined:
          break;
      }
    },
    committed: (count) => commits.observe(count),
    measured: (database) => ({
      ...database,
      unitOfWork: async (work) => {
        waiting.inc();
        const end = unitSeconds.startTimer();
        try {
          return await database.unitOfWork(work);
        } finally {
          end();
          waiting.dec();
        }
      },
    }),
    countFleet: (counts) => {
      fleet = counts;
    },
  };
}
