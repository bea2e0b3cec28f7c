import { useState, type FormEvent } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { getStorageLimit, updateOwnUser } from '@tandem/api';
import { call } from '../../api/call.ts';
import { byteSize } from '../../components/byte-size.ts';
import { Button } from '../../components/button.tsx';
import { Choice } from '../../components/choice.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Facts } from '../../components/facts.tsx';
import { Page, Section } from '../../components/page.tsx';
import { TextField } from '../../components/text-field.tsx';
import { chooseTheme, themes, useTheme } from '../../design/theme.ts';
import { endSession } from '../../session/session.ts';
import styles from './settings-page.module.css';

const themeWords = { system: 'As the system', light: 'Light', dark: 'Dark' } as const;

/** One's own password and looks, and what the server has stored. */
export const SettingsPage = () => {
  const theme = useTheme();
  const storage = useQuery({
    queryKey: ['releases', 'storage'],
    queryFn: async ({ signal }) =>
      (await call(getStorageLimit, { params: { name: 'storage' }, signal })).body,
  });
  return (
    <Page title="Settings">
      <PasswordSection />
      <Section title="Appearance">
        <Choice
          label="Theme"
          value={theme}
          onChange={chooseTheme}
          options={themes.map((value) => ({ value, label: themeWords[value] }))}
        />
      </Section>
      <Section title="Storage">
        {storage.error !== null && <ErrorNotice attempt="Reading the storage" error={storage.error} />}
        {storage.data !== undefined && (
          <Facts
            facts={[
              { name: 'Artifacts stored', value: byteSize(storage.data.usage) },
              { name: 'Limit', value: storage.data.limit === 0 ? 'none' : byteSize(storage.data.limit) },
            ]}
          />
        )}
      </Section>
    </Page>
  );
};

const PasswordSection = () => {
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const change = useMutation({
    mutationFn: () => call(updateOwnUser, { body: { current_password: current, password } }),
    // All tokens of the user have ended with it.
    onSuccess: endSession,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <Section title="Password">
      <form onSubmit={submit} className={styles.form}>
        <TextField
          label="Current password"
          type="password"
          autoComplete="current-password"
          isRequired
          value={current}
          onChange={setCurrent}
        />
        <TextField
          label="New password"
          hint="At least eight characters. You sign in anew with it, everywhere."
          type="password"
          autoComplete="new-password"
          minLength={8}
          isRequired
          value={password}
          onChange={setPassword}
        />
        {change.error !== null && <ErrorNotice attempt="Changing the password" error={change.error} />}
        <div>
          <Button kind="primary" type="submit" isDisabled={change.isPending}>
            Change the password
          </Button>
        </div>
      </form>
    </Section>
  );
};
