import { useState } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { planDeployment, type DeploymentPlan, type PlannedDevice } from '@tandem/api';
import { call } from '../../api/call.ts';
import { DataTable, type TableColumn } from '../../components/data-table.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Pager } from '../../components/pager.tsx';
import { useDeviceNames } from '../devices/use-device-names.ts';
import type { DeploymentTarget } from './deployment-target.ts';
import styles from './plan-preview.module.css';

export interface PlanPreviewProps {
  readonly release: string;
  readonly target: DeploymentTarget;
  readonly isForced: boolean;
}

const perPage = 20;

/** How many devices would get it, have it already, or cannot and why: chosen as for the devices that will ask. */
export const PlanPreview = ({ release, target, isForced }: PlanPreviewProps) => {
  const [page, setPage] = useState(1);
  const plan = useQuery({
    queryKey: ['deployments', 'plan', release, target, isForced, page],
    queryFn: async ({ signal }) =>
      (
        await call(planDeployment, {
          query: { page, per_page: perPage },
          body: {
            artifact_name: release,
            ...(isForced ? { force_installation: true } : {}),
            ...(target.kind === 'all' ? { all_devices: true } : {}),
            ...(target.kind === 'group' ? { group: target.group } : {}),
            ...(target.kind === 'devices' ? { devices: [...target.devices] } : {}),
          },
          signal,
        })
      ).body,
    placeholderData: keepPreviousData,
  });
  const nameOf = useDeviceNames(plan.data?.devices.map(({ id }) => id) ?? []);
  if (plan.error !== null) return <ErrorNotice attempt="Planning the deployment" error={plan.error} />;
  if (plan.data === undefined) return <p>Asking the server what would happen …</p>;
  return (
    <>
      <Outcomes plan={plan.data} />
      <DataTable
        label="Devices of the plan"
        columns={columnsWith(nameOf)}
        rows={plan.data.devices}
        keyOf={({ id }) => id}
        nameOf={({ id }) => nameOf(id)}
        empty={<p className={styles.none}>It would reach no device.</p>}
      />
      <Pager
        page={page}
        perPage={perPage}
        total={plan.data.devices_targeted}
        shown={plan.data.devices.length}
        onPage={setPage}
      />
    </>
  );
};

const outcomes = {
  installs: 'will install it',
  'already-installed': 'have it already',
  noartifact: 'cannot: no artifact fits',
  unknown: 'have not reported what they are yet',
} as const satisfies Record<PlannedDevice['outcome'], string>;

const Outcomes = ({ plan: { summary, devices_targeted } }: { readonly plan: DeploymentPlan }) => {
  const counts = {
    ...summary,
    installs: Object.values(summary.installs).reduce((sum, count) => sum + count, 0),
  };
  return (
    <ul className={styles.outcomes} aria-label="Outcomes">
      {(Object.keys(outcomes) as PlannedDevice['outcome'][]).map((outcome) => (
        <li key={outcome} className={styles.outcome}>
          <strong className={styles.count}>{counts[outcome].toLocaleString()}</strong>
          {outcomes[outcome]}
        </li>
      ))}
      {summary.devices < devices_targeted && (
        <li className={styles.outcome}>
          <strong className={styles.count}>{(devices_targeted - summary.devices).toLocaleString()}</strong>
          more were not looked at
        </li>
      )}
    </ul>
  );
};

const columnsWith = (nameOf: (deviceId: string) => string): TableColumn<PlannedDevice>[] => [
  {
    id: 'id',
    label: 'Device',
    cell: ({ id }) => (
      <Link to="/devices/$id" params={{ id }} title={id}>
        {nameOf(id)}
      </Link>
    ),
  },
  { id: 'outcome', label: 'Outcome', width: 260, cell: ({ outcome }) => outcomes[outcome] },
  { id: 'why', label: 'Why', cell: whyText },
];

function whyText({ unmet = [], certain }: PlannedDevice): string {
  const reasons = unmet.map(
    ({ key, needs, has }) => `needs ${key} ${needs.join(' or ')}, has ${has ?? 'none'}`,
  );
  if (reasons.length === 0 && !certain) return 'By what it last reported; the device itself decides';
  return reasons.join('; ');
}
