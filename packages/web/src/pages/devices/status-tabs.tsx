import type { FilterTerm } from '@tandem/api';
import { ToggleButton, ToggleButtonGroup } from 'react-aria-components';
import styles from './status-tabs.module.css';

const statuses = [
  { value: 'all', label: 'All' },
  { value: 'pending', label: 'Pending' },
  { value: 'accepted', label: 'Accepted' },
  { value: 'rejected', label: 'Rejected' },
  { value: 'preauthorized', label: 'Preauthorised' },
] as const;

export interface StatusTabsProps {
  readonly filters: readonly FilterTerm[];
  readonly onChange: (filters: readonly FilterTerm[]) => void;
}

/** The filter that is used most, in one press. */
export const StatusTabs = ({ filters, onChange }: StatusTabsProps) => {
  const status = filters.find(isOfStatus)?.value;
  const chosen = typeof status === 'string' ? status : 'all';
  const others = filters.filter((term) => !isOfStatus(term));
  return (
    <ToggleButtonGroup
      aria-label="Status"
      className={styles.tabs ?? ''}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[chosen]}
      onSelectionChange={([pressed]) =>
        onChange(
          pressed === 'all' || pressed === undefined ? others : [statusFilter(String(pressed)), ...others],
        )
      }
    >
      {statuses.map(({ value, label }) => (
        <ToggleButton key={value} id={value} className={styles.tab ?? ''}>
          {label}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
};

export const statusFilter = (status: string): FilterTerm => ({
  scope: 'identity',
  attribute: 'status',
  type: '$eq',
  value: status,
});

export const isOfStatus = ({ scope, attribute, type }: FilterTerm): boolean =>
  scope === 'identity' && attribute === 'status' && type === '$eq';
