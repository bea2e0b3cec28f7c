import styles from './status-badge.module.css';

export type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'neutral';

/** How the words of the contract are shown; a word that is not here is shown as it came. */
// prettier-ignore
const statuses = {
  // Of a device and its auth sets.
  accepted:      { tone: 'good',    label: 'Accepted' },
  pending:       { tone: 'warn',    label: 'Pending' },
  rejected:      { tone: 'bad',     label: 'Rejected' },
  preauthorized: { tone: 'neutral', label: 'Preauthorised' },
  noauth:        { tone: 'neutral', label: 'Not authenticated' },
  // Of a deployment.
  inprogress:    { tone: 'busy',    label: 'In progress' },
  scheduled:     { tone: 'neutral', label: 'Scheduled' },
  finished:      { tone: 'neutral',    label: 'Finished' },
  // Of a device in a deployment, in the order of its steps.
  downloading:                    { tone: 'busy',    label: 'Downloading' },
  pause_before_installing:        { tone: 'warn',    label: 'Paused before installing' },
  installing:                     { tone: 'busy',    label: 'Installing' },
  pause_before_rebooting:         { tone: 'warn',    label: 'Paused before rebooting' },
  rebooting:                      { tone: 'busy',    label: 'Rebooting' },
  pause_before_committing:        { tone: 'warn',    label: 'Paused before committing' },
  success:                        { tone: 'good',    label: 'Success' },
  failure:                        { tone: 'bad',     label: 'Failure' },
  aborted:                        { tone: 'neutral', label: 'Aborted' },
  noartifact:                     { tone: 'neutral', label: 'No artifact fits' },
  'already-installed':            { tone: 'good',    label: 'Already installed' },
  decommissioned:                 { tone: 'neutral', label: 'Decommissioned' },
} as const satisfies Record<string, { tone: Tone; label: string }>;

export const statusLook = (status: string): { readonly tone: Tone; readonly label: string } =>
  Object.hasOwn(statuses, status)
    ? statuses[status as keyof typeof statuses]
    : { tone: 'neutral', label: status };

/** Colour never says it alone: the word stands beside it. */
export const StatusBadge = ({ status }: { readonly status: string }) => {
  const { tone, label } = statusLook(status);
  return <span className={`${styles.badge} ${styles[tone]}`}>{label}</span>;
};
