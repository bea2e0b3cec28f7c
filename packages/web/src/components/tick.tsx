import type { ReactNode } from 'react';
import { Checkbox } from 'react-aria-components';
import styles from './tick.module.css';

export interface TickProps {
  readonly isSelected: boolean;
  readonly onChange: (isSelected: boolean) => void;
  readonly children: ReactNode;
}

/** Yes or no, with the words beside it. */
export const Tick = ({ isSelected, onChange, children }: TickProps) => (
  <Checkbox className={styles.tick ?? ''} isSelected={isSelected} onChange={onChange}>
    <span className={styles.box} aria-hidden="true" />
    {children}
  </Checkbox>
);
