import type { FilterOperator, FilterTerm } from '@tandem/api';

/** What kind of value an operator takes. */
type Operand = 'one' | 'several' | 'yes-no' | 'number-or-text';

/** The operators one can choose, in words. `$ltne` of the contract is for other servers' own use. */
// prettier-ignore
export const operators = {
  $eq:     { label: 'is',                 operand: 'one' },
  $ne:     { label: 'is not',             operand: 'one' },
  $regex:  { label: 'matches',            operand: 'one' },
  $in:     { label: 'is one of',          operand: 'several' },
  $nin:    { label: 'is none of',         operand: 'several' },
  $gt:     { label: 'is above',           operand: 'number-or-text' },
  $gte:    { label: 'is at least',        operand: 'number-or-text' },
  $lt:     { label: 'is below',           operand: 'number-or-text' },
  $lte:    { label: 'is at most',         operand: 'number-or-text' },
  $exists: { label: 'is there',           operand: 'yes-no' },
} as const satisfies Partial<Record<FilterOperator, { label: string; operand: Operand }>>;

export type Operator = keyof typeof operators;

/** A filter in words. */
export function filterText({ attribute, type, value }: FilterTerm): string {
  if (type === '$exists') return `${attribute} is ${value === true ? 'there' : 'not there'}`;
  const label = Object.hasOwn(operators, type) ? operators[type as Operator].label : type;
  return `${attribute} ${label} ${Array.isArray(value) ? value.join(', ') : String(value)}`;
}

/** What was typed, as the operator takes it: numbers stay numbers where they are compared by size. */
export function operandOf(operator: Operator, typed: string): unknown {
  const text = typed.trim();
  switch (operators[operator].operand) {
    case 'yes-no':
      return text !== 'no';
    case 'several':
      return text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
    case 'number-or-text':
    case 'one':
      return operator !== '$regex' && /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
  }
}
