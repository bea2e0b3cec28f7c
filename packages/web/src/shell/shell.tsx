import { Link, Outlet } from '@tanstack/react-router';
import { useMutation } from '@tanstack/react-query';
import { logout } from '@tandem/api';
import { call } from '../api/call.ts';
import { Button } from '../components/button.tsx';
import { useChangeFeed } from '../live/use-change-feed.ts';
import { endSession } from '../session/session.ts';
import { FeedIndicator } from './feed-indicator.tsx';
import styles from './shell.module.css';
import { ThemeSwitch } from './theme-switch.tsx';

/** The places of the interface, in the order of a day's work. */
const places = [
  { to: '/', label: 'Dashboard' },
  { to: '/devices', label: 'Devices' },
  { to: '/releases', label: 'Releases' },
  { to: '/deployments', label: 'Deployments' },
  { to: '/connect', label: 'Connect a device' },
  { to: '/users', label: 'Users' },
  { to: '/settings', label: 'Settings' },
] as const;

export interface ShellProps {
  /** Who is signed in. */
  readonly email: string;
  /** Whether changes are followed: not while the session is interrupted. */
  readonly isFed: boolean;
}

/** What surrounds every page once one is signed in. */
export const Shell = ({ email, isFed }: ShellProps) => {
  const { state, mayAsk } = useChangeFeed(isFed);
  const signOut = useMutation({
    mutationFn: () => call(logout, {}),
    // Also when the server cannot be told: at this browser it is over.
    onSettled: endSession,
  });
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#content">
        Skip to the content
      </a>
      <header className={styles.top}>
        <Link to="/" className={styles.brand ?? ''}>
          <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width={28} height={28} />
          Tandem
        </Link>
        <FeedIndicator state={state} />
        <div className={styles.account}>
          <ThemeSwitch />
          <span className={styles.email}>{email}</span>
          <Button kind="plain" onPress={() => signOut.mutate()}>
            Sign out
          </Button>
        </div>
      </header>
      <nav className={styles.places} aria-label="Places">
        <ul>
          {places.map(({ to, label }) => (
            <li key={to}>
              <Link to={to} activeOptions={{ exact: to === '/' }} activeProps={{ 'aria-current': 'page' }}>
                {label}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <main id="content" tabIndex={-1} className={styles.content}>
        {mayAsk && <Outlet />}
      </main>
    </div>
  );
};
