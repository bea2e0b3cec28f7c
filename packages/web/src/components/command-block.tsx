import { useState } from 'react';
import { Button } from './button.tsx';
import styles from './command-block.module.css';

/** Text to be copied as it stands. */
export const CommandBlock = ({ text, label }: { readonly text: string; readonly label: string }) => {
  const [copied, setCopied] = useState<'no' | 'yes' | 'failed'>('no');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied('yes');
    } catch {
      // A page over plain HTTP has no clipboard.
      setCopied('failed');
    }
  };
  return (
    <div className={styles.block}>
      {/* It scrolls sideways, by keyboard, too. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className={styles.text} tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <Button small aria-label={`Copy: ${label}`} onPress={() => void copy()}>
        {copied === 'yes' ? 'Copied' : copied === 'failed' ? 'Select and copy by hand' : 'Copy'}
      </Button>
    </div>
  );
};
