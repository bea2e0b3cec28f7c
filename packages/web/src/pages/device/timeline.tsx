import { useQuery } from '@tanstack/react-query';
import { getDeviceDeploymentTimeline, type StatusReport } from '@tandem/api';
import { call } from '../../api/call.ts';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { statusLook } from '../../components/status-badge.tsx';
import styles from './timeline.module.css';

export interface TimelineProps {
  readonly deploymentId: string;
  readonly deviceId: string;
  readonly isRunning: boolean;
}

/** The steps of one device in one deployment as it reported them: when, and how long each took. */
export const Timeline = ({ deploymentId, deviceId, isRunning }: TimelineProps) => {
  const timeline = useQuery({
    queryKey: ['deployments', 'timeline', deploymentId, deviceId],
    queryFn: async ({ signal }) =>
      (
        await call(getDeviceDeploymentTimeline, {
          params: { id: deploymentId, device_id: deviceId },
          signal,
        })
      ).body,
  });
  if (timeline.error !== null) return <ErrorNotice attempt="Reading the steps" error={timeline.error} />;
  if (timeline.data === undefined) return <p>Asking the server …</p>;
  if (timeline.data.length === 0) return <p>It has not reported anything yet.</p>;
  return (
    <ol className={styles.timeline} aria-label="Steps">
      {timeline.data.map((report, index, all) => (
        <Step
          key={`${report.attempt} ${report.time} ${report.status} ${report.substate ?? ''}`}
          report={report}
          next={all[index + 1]}
          isLast={index === all.length - 1}
          isRunning={isRunning}
        />
      ))}
    </ol>
  );
};

interface StepProps {
  readonly report: StatusReport;
  readonly next: StatusReport | undefined;
  readonly isLast: boolean;
  readonly isRunning: boolean;
}

const Step = ({ report, next, isLast, isRunning }: StepProps) => {
  const { tone, label } = statusLook(report.status);
  return (
    <li className={`${styles.step} ${styles[tone]}`} aria-current={isLast && isRunning ? 'step' : undefined}>
      <span className={styles.label}>{label}</span>
      {report.substate !== undefined && <span className={styles.substate}>{report.substate}</span>}
      <time dateTime={report.time} className={styles.time}>
        {new Date(report.time).toLocaleString()}
      </time>
      {next !== undefined && next.attempt === report.attempt && (
        <span className={styles.took}>{duration(Date.parse(next.time) - Date.parse(report.time))}</span>
      )}
    </li>
  );
};

/** `75000` is `1 min 15 s`. */
function duration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
