import type { ReactNode } from 'react';
import styles from './entrance-page.module.css';

/** The pages before one is signed in: one narrow card. */
export const EntrancePage = ({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ReactNode;
}) => (
  <main className={styles.entrance}>
    <title>{`${title} · Tandem`}</title>
    <div className={styles.card}>
      <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width={40} height={40} />
      <h1>{title}</h1>
      {children}
    </div>
  </main>
);
