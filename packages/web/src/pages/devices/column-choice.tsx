import { useState } from 'react';
import { Button as AriaButton, Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components';
import styles from './column-choice.module.css';
import { useFilterAttributes } from './use-filter-attributes.ts';

export interface ColumnChoiceProps {
  readonly columns: readonly string[];
  readonly onChange: (columns: readonly string[]) => void;
}

/** Which attributes the table shows. */
export const ColumnChoice = ({ columns, onChange }: ColumnChoiceProps) => {
  const [isOpen, setOpen] = useState(false);
  const known = useFilterAttributes(isOpen);
  const options = [...new Set([...columns, ...known])].map((id) => ({ id }));
  return (
    <MenuTrigger isOpen={isOpen} onOpenChange={setOpen}>
      <AriaButton className={styles.button ?? ''}>Columns ▾</AriaButton>
      <Popover className={styles.popover ?? ''}>
        <Menu
          aria-label="Columns"
          className={styles.menu ?? ''}
          items={options}
          selectionMode="multiple"
          disallowEmptySelection
          selectedKeys={columns}
          onSelectionChange={(keys) =>
            onChange(options.map(({ id }) => id).filter((id) => keys === 'all' || keys.has(id)))
          }
        >
          {({ id }) => (
            <MenuItem id={id} textValue={id} className={styles.item ?? ''}>
              {({ isSelected }) => (
                <>
                  <span className={styles.mark} aria-hidden="true">
                    {isSelected ? '✓' : ''}
                  </span>
                  {id}
                </>
              )}
            </MenuItem>
          )}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
};
