import { useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import {
  ApiError,
  deployDeviceConfiguration,
  getDeviceConfiguration,
  putDeviceConfiguration,
} from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { EmptyState, Section } from '../../components/page.tsx';
import { TextField } from '../../components/text-field.tsx';
import { configurationLines, readConfigurationLines } from './configuration-lines.ts';
import styles from './configuration-section.module.css';

/** What is wanted of the device and what it has reported; saving and deploying are two steps, as in the API. */
export const ConfigurationSection = ({ deviceId }: { readonly deviceId: string }) => {
  const params = { device_id: deviceId };
  const configuration = useQuery({
    queryKey: ['configurations', deviceId],
    queryFn: async ({ signal }) => {
      try {
        return (await call(getDeviceConfiguration, { params, signal })).body;
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
  });
  if (configuration.error !== null) {
    return <ErrorNotice attempt="Reading the configuration" error={configuration.error} />;
  }
  return (
    <Section title="Configuration">
      {configuration.data === null && (
        <EmptyState title="A device has a configuration once it is accepted." />
      )}
      {configuration.data !== null && configuration.data !== undefined && (
        <Editor
          key={deviceId}
          deviceId={deviceId}
          configured={configuration.data.configured}
          reported={configuration.data.reported}
        />
      )}
    </Section>
  );
};

interface EditorProps {
  readonly deviceId: string;
  readonly configured: Readonly<Record<string, string>>;
  readonly reported: Readonly<Record<string, string>>;
}

const Editor = ({ deviceId, configured, reported }: EditorProps) => {
  const queries = useQueryClient();
  const params = { device_id: deviceId };
  // What one is typing outlives what others save meanwhile.
  const [typed, setText] = useState<string>();
  const text = typed ?? configurationLines(configured);
  const wanted = readConfigurationLines(text);
  const refresh = () => queries.invalidateQueries({ queryKey: ['configurations'] });
  const save = useMutation({
    mutationFn: async () => {
      if (wanted.kind !== 'read') return;
      await call(putDeviceConfiguration, {
        params,
        body: new TextEncoder().encode(JSON.stringify(wanted.values)),
      });
    },
    onSuccess: async () => {
      await refresh();
      setText(undefined);
    },
  });
  const deploy = useMutation({
    mutationFn: () =>
      call(deployDeviceConfiguration, { params, body: new TextEncoder().encode('{"retries":0}') }),
    onSuccess: refresh,
  });
  const isChanged = text !== configurationLines(configured);
  return (
    <div className={styles.columns}>
      <div className={styles.column}>
        <TextField
          label="Wanted"
          hint="One a line: name=value."
          rows={6}
          value={text}
          onChange={setText}
          error={wanted.kind === 'faulty' ? wanted.fault : undefined}
        />
        {save.error !== null && <ErrorNotice attempt="Saving the configuration" error={save.error} />}
        {deploy.error !== null && <ErrorNotice attempt="Deploying the configuration" error={deploy.error} />}
        <div className={styles.actions}>
          <Button
            kind="primary"
            isDisabled={!isChanged || wanted.kind === 'faulty' || save.isPending}
            onPress={() => save.mutate()}
          >
            Save
          </Button>
          <Button isDisabled={isChanged || deploy.isPending} onPress={() => deploy.mutate()}>
            Deploy to the device
          </Button>
        </div>
        {deploy.isSuccess && <output>It is under way: see its deployments.</output>}
      </div>
      <div className={styles.column}>
        <h3>Reported by the device</h3>
        <pre className={styles.reported}>{configurationLines(reported) || 'Nothing yet.'}</pre>
      </div>
    </div>
  );
};
