import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** QEMU's machine protocol (QMP): one command, one answer. */
export interface MachineMonitor {
  /** Throws when QEMU refuses, or gives no answer within ten seconds. */
  readonly execute: (command: string, args?: Readonly<Record<string, unknown>>) => Promise<unknown>;
  /** Resolves when QEMU has ended, with why the machine was shut down in its words (`guest-reset`, `guest-shutdown`), if it was. */
  readonly shutdownReason: Promise<string | undefined>;
}

const answerLimitMs = 10_000;

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: { readonly reason?: string };
}

/** `path`: the socket QEMU listens on; it is there before the guest's first instruction. */
export async function connectToMonitor(path: string): Promise<MachineMonitor> {
  const socket = createConnection(path);
  const answers: ((answer: Answer) => void)[] = [];
  const gone = new Promise<never>((_, reject) => {
    socket.on('error', reject).once('close', () => reject(new Error('QEMU has ended')));
  });
  gone.catch(() => undefined);
  await Promise.race([gone, new Promise((resolve) => socket.once('connect', resolve))]);
  const lines = createInterface({ input: socket });
  lines.on('error', () => undefined);
  let reason: string | undefined;
  const shutdownReason = new Promise<string | undefined>((resolve) => {
    // A line that was read is told before.
    socket.once('close', () => resolve(reason));
  });
  lines.on('line', (line) => {
    const said = JSON.parse(line) as Answer;
    if (said.event === 'SHUTDOWN') reason = said.data?.reason;
    // The greeting and events are no answers.
    if ('return' in said || 'error' in said) answers.shift()?.(said);
  });
  const execute = (command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> => {
    const answer = new Promise<unknown>((resolve, reject) => {
      answers.push(({ error, return: value }) => {
        if (error === undefined) resolve(value);
        else reject(new Error(`QEMU refused ${command}: ${error.desc}`));
      });
      socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
    return Promise.race([answer, gone, tooLate(command)]);
  };
  await execute('qmp_capabilities');
  return { execute, shutdownReason };
}

const tooLate = async (command: string): Promise<never> => {
  await sleep(answerLimitMs, undefined, { ref: false });
  throw new Error(`QEMU did not answer ${command} within ${String(answerLimitMs / 1000)} s`);
};
