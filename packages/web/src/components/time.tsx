import { useNow } from './use-now.ts';

/** A moment, as people say it; the exact one is its title. */
export const Time = ({ at }: { readonly at: string | undefined }) => {
  const now = useNow();
  if (at === undefined || at.startsWith('0001-')) return <>–</>;
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()}>
      {ago(now - Date.parse(at))}
    </time>
  );
};

// prettier-ignore
const units = [
  { name: 'day',    ms: 86_400_000 },
  { name: 'hour',   ms: 3_600_000 },
  { name: 'minute', ms: 60_000 },
  { name: 'second', ms: 1000 },
] as const;

const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

function ago(ms: number): string {
  // Our own `now` is a little late, and clocks differ.
  if (Math.abs(ms) < 15_000) return 'just now';
  const unit = units.find((candidate) => Math.abs(ms) >= candidate.ms);
  return unit === undefined ? 'just now' : words.format(-Math.round(ms / unit.ms), unit.name);
}
