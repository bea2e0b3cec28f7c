import type { ReactNode } from 'react';
import styles from './page.module.css';

export interface PageProps {
  readonly title: string;
  /** Beside the title, to the right. */
  readonly actions?: ReactNode;
  /** Under the title: what this is about, in one line. */
  readonly lead?: ReactNode;
  readonly children: ReactNode;
}

/** One page: its title is the document's, too. */
export const Page = ({ title, actions, lead, children }: PageProps) => (
  <div className={styles.page}>
    <title>{`${title} · Tandem`}</title>
    <header className={styles.header}>
      <div className={styles.heading}>
        <h1>{title}</h1>
        {lead !== undefined && <div className={styles.lead}>{lead}</div>}
      </div>
      {actions !== undefined && <div className={styles.actions}>{actions}</div>}
    </header>
    {children}
  </div>
);

/** A framed part of a page with its own heading. */
export const Section = ({
  title,
  actions,
  children,
}: {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) => (
  <section className={styles.section}>
    <header className={styles.sectionHeader}>
      <h2>{title}</h2>
      {actions}
    </header>
    {children}
  </section>
);

/** Where there is nothing yet: why, and what to do. */
export const EmptyState = ({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ReactNode;
}) => (
  <div className={styles.empty}>
    <p className={styles.emptyTitle}>{title}</p>
    {children}
  </div>
);
