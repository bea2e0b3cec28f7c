import { Button } from './button.tsx';
import styles from './search-field.module.css';
import { TextField } from './text-field.tsx';

export interface SearchFieldProps {
  readonly label: string;
  /** What is searched for now. */
  readonly value: string;
  readonly onSearch: (text: string) => void;
}

/** Searches when asked to, not at each letter: the address changes with it. */
export const SearchField = ({ label, value, onSearch }: SearchFieldProps) => (
  <search>
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        const typed = new FormData(event.currentTarget).get('text');
        onSearch(typeof typed === 'string' ? typed.trim() : '');
      }}
    >
      {/* By its key: what is in the address replaces what was typed. */}
      <TextField key={value} label={label} name="text" defaultValue={value} />
      <Button type="submit">Search</Button>
    </form>
  </search>
);
