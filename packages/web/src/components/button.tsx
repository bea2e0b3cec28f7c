import { Button as AriaButton, type ButtonProps as AriaButtonProps } from 'react-aria-components';
import styles from './button.module.css';

export interface ButtonProps extends Omit<AriaButtonProps, 'className' | 'style'> {
  /** `primary`: the one thing to do here. `danger`: cannot be taken back. `plain`: beside other text. */
  readonly kind?: 'primary' | 'secondary' | 'danger' | 'plain';
  readonly small?: boolean;
}

export const Button = ({ kind = 'secondary', small = false, ...rest }: ButtonProps) => (
  <AriaButton {...rest} className={`${styles.button} ${styles[kind]} ${small ? styles.small : ''}`} />
);
