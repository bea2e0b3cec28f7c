import { useState } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { createDeployment, createGroupDeployment, listGroups, listReleasesV2 } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { Choice } from '../../components/choice.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Page, Section } from '../../components/page.tsx';
import { Tick } from '../../components/tick.tsx';
import { TextField } from '../../components/text-field.tsx';
import { PlanPreview } from './plan-preview.tsx';
import { targetText, type DeploymentTarget } from './deployment-target.ts';

/** Which release, to which devices; what would happen is shown by the server's own plan before anything begins. */
export const NewDeploymentPage = () => {
  const given = useSearch({ from: '/deployments/new' });
  const navigate = useNavigate();
  const [release, setRelease] = useState(given.release);
  const [target, setTarget] = useState<DeploymentTarget | undefined>(targetOf(given));
  const [name, setName] = useState<string>();
  const [isForced, setForced] = useState(false);
  const releases = useQuery({
    queryKey: ['releases', 'names'],
    queryFn: async ({ signal }) =>
      (await call(listReleasesV2, { query: { per_page: '500', sort: 'modified:desc' }, signal })).body,
  });
  const groups = useQuery({
    queryKey: ['inventory', 'groups'],
    queryFn: async ({ signal }) => (await call(listGroups, { signal })).body,
  });
  const shownName =
    name ?? (release === undefined || target === undefined ? '' : `${release} to ${targetText(target)}`);
  const create = useMutation({
    mutationFn: async ({ artifact, to }: { artifact: string; to: DeploymentTarget }) => {
      const body = {
        name: shownName,
        artifact_name: artifact,
        ...(isForced ? { force_installation: true } : {}),
      };
      const { headers } =
        to.kind === 'group'
          ? await call(createGroupDeployment, { params: { name: to.group }, body })
          : await call(createDeployment, {
              body:
                to.kind === 'all' ? { ...body, all_devices: true } : { ...body, devices: [...to.devices] },
            });
      const id = String(headers['location'] ?? '')
        .split('/')
        .at(-1);
      await (id === undefined || id === ''
        ? navigate({ to: '/deployments' })
        : navigate({ to: '/deployments/$id', params: { id } }));
    },
  });
  const targets = [
    { value: 'all', label: 'All accepted devices' },
    ...(groups.data ?? []).map((group) => ({ value: `group:${group}`, label: `Group ${group}` })),
    ...(given.device === undefined
      ? []
      : [{ value: 'devices', label: targetText({ kind: 'devices', devices: given.device }) }]),
  ];
  const choose = (value: string) => {
    if (value === 'all') setTarget({ kind: 'all' });
    else if (value === 'devices') setTarget({ kind: 'devices', devices: given.device ?? [] });
    else setTarget({ kind: 'group', group: value.slice('group:'.length) });
  };
  return (
    <Page title="New deployment">
      <Section title="What and where">
        <Choice
          label="Release"
          value={release}
          onChange={setRelease}
          placeholder={releases.isPending ? 'Asking the server …' : 'Choose a release'}
          options={(releases.data ?? []).map(({ name: value }) => ({ value, label: value }))}
        />
        <Choice
          label="Devices"
          value={
            target === undefined ? undefined : target.kind === 'group' ? `group:${target.group}` : target.kind
          }
          onChange={choose}
          placeholder="Choose devices"
          options={targets}
        />
        <TextField label="Name" hint="Under which it is found again." value={shownName} onChange={setName} />
        <Tick isSelected={isForced} onChange={setForced}>
          Install also where this release is installed already
        </Tick>
      </Section>
      {release !== undefined && target !== undefined && (
        <Section title="What will happen">
          <PlanPreview release={release} target={target} isForced={isForced} />
          {create.error !== null && <ErrorNotice attempt="Creating the deployment" error={create.error} />}
          <div>
            <Button
              kind="primary"
              isDisabled={shownName.trim() === '' || create.isPending}
              onPress={() => create.mutate({ artifact: release, to: target })}
            >
              {create.isPending ? 'Creating …' : 'Deploy'}
            </Button>
          </div>
        </Section>
      )}
    </Page>
  );
};

function targetOf({
  group,
  device,
}: {
  group?: string;
  device?: readonly string[];
}): DeploymentTarget | undefined {
  if (device !== undefined) return { kind: 'devices', devices: device };
  return group === undefined ? undefined : { kind: 'group', group };
}
