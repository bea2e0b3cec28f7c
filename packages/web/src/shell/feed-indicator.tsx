import type { FeedState } from '../live/change-feed.ts';
import styles from './feed-indicator.module.css';

const looks = {
  connecting: { label: 'Connecting', says: 'Connecting to the server for live changes' },
  live: { label: 'Live', says: 'Changes show as they happen' },
  polling: { label: 'Delayed', says: 'No live connection: the page is refreshed every few seconds' },
} as const satisfies Record<FeedState, { label: string; says: string }>;

/** Whether what one sees is of this second. */
export const FeedIndicator = ({ state }: { readonly state: FeedState }) => (
  <output className={`${styles.indicator} ${styles[state]}`} title={looks[state].says}>
    {looks[state].label}
  </output>
);
