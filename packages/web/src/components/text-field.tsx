import {
  FieldError,
  Input,
  Label,
  Text,
  TextArea,
  TextField as AriaTextField,
  type TextFieldProps as AriaTextFieldProps,
} from 'react-aria-components';
import styles from './text-field.module.css';

export interface TextFieldProps extends Omit<AriaTextFieldProps, 'className' | 'style' | 'children'> {
  readonly label: string;
  readonly hint?: string;
  /** What is wrong with it, in words. */
  readonly error?: string | undefined;
  /** More than one line. */
  readonly rows?: number;
  readonly placeholder?: string;
}

export const TextField = ({ label, hint, error, rows, placeholder, ...rest }: TextFieldProps) => (
  <AriaTextField {...rest} isInvalid={error !== undefined} className={styles.field ?? ''}>
    <Label className={styles.label}>{label}</Label>
    {rows === undefined ? (
      <Input className={styles.input ?? ''} {...(placeholder === undefined ? {} : { placeholder })} />
    ) : (
      <TextArea
        className={styles.input ?? ''}
        rows={rows}
        {...(placeholder === undefined ? {} : { placeholder })}
      />
    )}
    {hint !== undefined && (
      <Text slot="description" className={styles.hint}>
        {hint}
      </Text>
    )}
    <FieldError className={styles.error ?? ''}>{error}</FieldError>
  </AriaTextField>
);
