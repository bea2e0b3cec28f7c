import {
  Button,
  FieldError,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Select,
  SelectValue,
  type Key,
} from 'react-aria-components';
import styles from './choice.module.css';

export interface ChoiceProps<V extends string> {
  readonly label: string;
  /** The label is read out, not shown. */
  readonly isLabelHidden?: boolean;
  readonly options: readonly { readonly value: V; readonly label: string }[];
  readonly value: V | undefined;
  readonly onChange: (value: V) => void;
  readonly placeholder?: string;
  readonly error?: string | undefined;
}

/** One of a few. */
export function Choice<V extends string>(props: ChoiceProps<V>) {
  const { label, options, value, onChange, placeholder = 'Choose', error } = props;
  return (
    <Select
      className={styles.choice ?? ''}
      placeholder={placeholder}
      value={value ?? null}
      isInvalid={error !== undefined}
      onChange={(key: Key | null) => {
        const chosen = options.find((option) => option.value === key);
        if (chosen !== undefined) onChange(chosen.value);
      }}
    >
      <Label className={props.isLabelHidden === true ? 'visually-hidden' : (styles.label ?? '')}>
        {label}
      </Label>
      <Button className={styles.button ?? ''}>
        <SelectValue className={styles.value ?? ''} />
        <span aria-hidden="true">▾</span>
      </Button>
      <FieldError className={styles.error ?? ''}>{error}</FieldError>
      <Popover className={styles.popover ?? ''}>
        <ListBox className={styles.list ?? ''} items={options}>
          {({ value: id, label: text }) => (
            <ListBoxItem id={id} textValue={text} className={styles.option ?? ''}>
              {text}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}
