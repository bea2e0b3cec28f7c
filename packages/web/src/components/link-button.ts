import styles from './button.module.css';

/** The classes of a link that leads on, drawn as the one thing to do. */
export const linkButton = `${styles.button} ${styles.primary} ${styles.link}`;
