import { Button } from './button.tsx';
import styles from './pager.module.css';

export interface PagerProps {
  /** From 1. */
  readonly page: number;
  readonly perPage: number;
  /** Undefined where it is not counted. */
  readonly total: number | undefined;
  /** How many this page has. */
  readonly shown: number;
  readonly onPage: (page: number) => void;
}

/** Which rows of how many one sees, and the way to the others. */
export const Pager = ({ page, perPage, total, shown, onPage }: PagerProps) => {
  const first = (page - 1) * perPage + 1;
  const hasNext = total === undefined ? shown === perPage : page * perPage < total;
  if (page === 1 && !hasNext && shown === 0) return null;
  return (
    <nav className={styles.pager} aria-label="Pages">
      <span>
        {first.toLocaleString()}–{(first + shown - 1).toLocaleString()}
        {total === undefined ? '' : ` of ${total.toLocaleString()}`}
      </span>
      <Button small isDisabled={page === 1} onPress={() => onPage(page - 1)}>
        Previous
      </Button>
      <Button small isDisabled={!hasNext} onPress={() => onPage(page + 1)}>
        Next
      </Button>
    </nav>
  );
};
