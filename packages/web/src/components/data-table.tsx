import type { ReactNode } from 'react';
import {
  Cell,
  Checkbox,
  Column,
  Row,
  Table,
  TableBody,
  TableHeader,
  TableLayout,
  Virtualizer,
  type Selection,
  type SortDescriptor,
} from 'react-aria-components';
import styles from './data-table.module.css';

export interface TableColumn<R> {
  readonly id: string;
  readonly label: string;
  readonly cell: (row: R) => ReactNode;
  /** In pixels; what is left over goes to the columns without one. */
  readonly width?: number;
  readonly isSortable?: boolean;
}

export interface DataTableProps<R> {
  /** What the rows are: read out before them. */
  readonly label: string;
  readonly columns: readonly TableColumn<R>[];
  readonly rows: readonly R[];
  readonly keyOf: (row: R) => string;
  /** What the row is called when it is read out. */
  readonly nameOf: (row: R) => string;
  readonly sort?: SortDescriptor;
  readonly onSort?: (sort: SortDescriptor) => void;
  readonly selected?: ReadonlySet<string>;
  readonly onSelect?: (selected: ReadonlySet<string>) => void;
  readonly onOpen?: (key: string) => void;
  /** Shown in place of rows. */
  readonly empty: ReactNode;
}

const rowHeight = 44;
const headingHeight = 40;
/** Of the part that is seen; longer lists scroll within. */
const maxRowsSeen = 15;

/** A table of one page of a list; only the rows that are seen are in the document. */
export function DataTable<R extends object>(props: DataTableProps<R>) {
  const { label, columns, rows, keyOf, nameOf, selected, onSelect, empty } = props;
  const isSelectable = onSelect !== undefined;
  if (rows.length === 0) return <div className={styles.frame}>{empty}</div>;
  const last = rows.at(-1);
  const height = headingHeight + Math.min(rows.length, maxRowsSeen) * rowHeight + 2;
  return (
    <div className={styles.frame}>
      <Virtualizer layout={TableLayout} layoutOptions={{ rowHeight, headingHeight }}>
        <Table
          aria-label={label}
          className={styles.table ?? ''}
          style={{ height }}
          selectionMode={isSelectable ? 'multiple' : 'none'}
          {...(selected === undefined ? {} : { selectedKeys: selected })}
          {...(props.sort === undefined ? {} : { sortDescriptor: props.sort })}
          {...(props.onSort === undefined ? {} : { onSortChange: props.onSort })}
          {...(props.onOpen === undefined ? {} : { onRowAction: (key) => props.onOpen?.(String(key)) })}
          onSelectionChange={(keys: Selection) =>
            onSelect?.(keys === 'all' ? new Set(rows.map(keyOf)) : new Set([...keys].map(String)))
          }
        >
          <TableHeader>
            {isSelectable && (
              <Column width={44} minWidth={44} className={styles.column ?? ''}>
                <SelectionBox />
              </Column>
            )}
            {columns.map(({ id, label: heading, width, isSortable }, index) => (
              <Column
                key={id}
                id={id}
                isRowHeader={index === 0}
                allowsSorting={isSortable ?? false}
                className={styles.column ?? ''}
                minWidth={width ?? (index === 0 ? 200 : 140)}
                {...(width === undefined ? {} : { width })}
              >
                {({ sortDirection }) => (
                  <>
                    {heading}
                    {sortDirection !== undefined && (
                      <span aria-hidden="true">{sortDirection === 'ascending' ? ' ↑' : ' ↓'}</span>
                    )}
                  </>
                )}
              </Column>
            ))}
          </TableHeader>
          <TableBody items={rows} dependencies={[columns, isSelectable, last]}>
            {(row) => (
              <Row
                id={keyOf(row)}
                textValue={nameOf(row)}
                className={(row === last ? styles.lastRow : styles.row) ?? ''}
              >
                {isSelectable && (
                  <Cell className={styles.cell ?? ''}>
                    <SelectionBox />
                  </Cell>
                )}
                {columns.map(({ id, cell }) => (
                  <Cell key={id} className={styles.cell ?? ''}>
                    <span className={styles.content}>{cell(row)}</span>
                  </Cell>
                ))}
              </Row>
            )}
          </TableBody>
        </Table>
      </Virtualizer>
    </div>
  );
}

const SelectionBox = () => (
  <Checkbox slot="selection" className={styles.checkbox ?? ''}>
    <span className={styles.box} aria-hidden="true" />
  </Checkbox>
);
