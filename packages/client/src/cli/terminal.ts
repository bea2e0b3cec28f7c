import { createInterface } from 'node:readline/promises';
import { Writable, type Readable } from 'node:stream';
import { ClientError } from '../client-error.ts';

/** Whoever sits before the device. */
export interface Terminal {
  tell(text: string): void;
  /**
   * Shows the question and gives the answer without the spaces around it; `hidden` answers are not shown. Rejects with `ClientError` `calledOff`
   * once the user has pressed Ctrl-C or Ctrl-D, with the signal's reason when aborted.
   */
  ask(question: string, hidden?: 'hidden'): Promise<string>;
  /** Gives the terminal back as it was. */
  close(): void;
}

/** `input` and `output` are a terminal's. */
export function openTerminal(input: Readable, output: NodeJS.WritableStream, signal: AbortSignal): Terminal {
  let hidden = false;
  // The terminal itself shows nothing while lines are edited here, so that what is kept back here is not seen.
  const shown = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (!hidden) output.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input, output: shown, terminal: true, historySize: 0 });
  const calledOff = new AbortController();
  const stop = () => {
    calledOff.abort(new ClientError('calledOff', 'Called off: nothing was written.'));
  };
  lines.once('SIGINT', stop).once('close', stop);
  const either = AbortSignal.any([signal, calledOff.signal]);
  return {
    tell: (text) => {
      output.write(`${text}\n`);
    },
    ask: async (question, how) => {
      either.throwIfAborted();
      output.write(`${question} `);
      hidden = how === 'hidden';
      try {
        return (await lines.question('', { signal: either })).trim();
      } catch (error) {
        throw either.aborted ? either.reason : error;
      } finally {
        if (hidden || either.aborted) output.write('\n');
        hidden = false;
      }
    },
    close: () => {
      lines.close();
    },
  };
}
