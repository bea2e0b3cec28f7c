import { useState } from 'react';
import type { FilterTerm } from '@tandem/api';
import { Button } from '../../components/button.tsx';
import { SearchField } from '../../components/search-field.tsx';
import { FilterDialog } from './filter-dialog.tsx';
import styles from './filter-bar.module.css';
import { filterText } from './filter-terms.ts';
import { isOfStatus } from './status-tabs.tsx';

export interface FilterBarProps {
  readonly text: string;
  readonly filters: readonly FilterTerm[];
  readonly onChange: (changes: { text?: string; filters?: readonly FilterTerm[] }) => void;
}

/** Search by words, and the filters over any attribute as words one can take away. */
export const FilterBar = ({ text, filters, onChange }: FilterBarProps) => {
  const [isAdding, setAdding] = useState(false);
  return (
    <div className={styles.bar}>
      <SearchField
        label="Search all attributes"
        value={text}
        onSearch={(typed) => onChange({ text: typed })}
      />
      <ul className={styles.terms} aria-label="Filters">
        {filters.map((term, index) =>
          isOfStatus(term) ? null : (
            <li key={filterText(term)} className={styles.term}>
              {filterText(term)}
              <Button
                kind="plain"
                aria-label={`Remove the filter ${filterText(term)}`}
                onPress={() => onChange({ filters: filters.filter((_, other) => other !== index) })}
              >
                ×
              </Button>
            </li>
          ),
        )}
        <li>
          <Button small onPress={() => setAdding(true)}>
            Add a filter
          </Button>
        </li>
      </ul>
      <FilterDialog
        isOpen={isAdding}
        onClose={() => setAdding(false)}
        onAdd={(term) => {
          setAdding(false);
          onChange({ filters: [...filters, term] });
        }}
      />
    </div>
  );
};
