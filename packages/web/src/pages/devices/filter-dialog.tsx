import { useState } from 'react';
import type { FilterTerm } from '@tandem/api';
import { Button } from '../../components/button.tsx';
import { Choice } from '../../components/choice.tsx';
import { Dialog, DialogActions } from '../../components/dialog.tsx';
import { TextField } from '../../components/text-field.tsx';
import { attributeOf } from './device-query.ts';
import { operandOf, operators, type Operator } from './filter-terms.ts';
import { useFilterAttributes } from './use-filter-attributes.ts';

export interface FilterDialogProps {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly onAdd: (term: FilterTerm) => void;
}

/** One more filter, over any attribute that some device has. */
export const FilterDialog = ({ isOpen, onClose, onAdd }: FilterDialogProps) => {
  const attributes = useFilterAttributes(isOpen);
  const [column, setColumn] = useState<string>();
  const [operator, setOperator] = useState<Operator>('$eq');
  const [typed, setTyped] = useState('');
  const attribute = column === undefined ? undefined : attributeOf(column);
  const needsValue = operator !== '$exists';
  const isReady = attribute !== undefined && (!needsValue || typed.trim() !== '');
  const add = () => {
    if (attribute === undefined) return;
    onAdd({ ...attribute, type: operator, value: operandOf(operator, typed) });
    setTyped('');
  };
  return (
    <Dialog title="Add a filter" isOpen={isOpen} onClose={onClose}>
      <Choice
        label="Attribute"
        value={column}
        onChange={setColumn}
        options={attributes.map((name) => ({ value: name, label: name }))}
      />
      <Choice
        label="Condition"
        value={operator}
        onChange={setOperator}
        options={Object.entries(operators).map(([value, { label }]) => ({ value: value as Operator, label }))}
      />
      {needsValue && (
        <TextField
          label="Value"
          value={typed}
          onChange={setTyped}
          {...(operators[operator].operand === 'several' ? { hint: 'Several, with commas between.' } : {})}
        />
      )}
      <DialogActions>
        <Button onPress={onClose}>Cancel</Button>
        <Button kind="primary" isDisabled={!isReady} onPress={add}>
          Add the filter
        </Button>
      </DialogActions>
    </Dialog>
  );
};
