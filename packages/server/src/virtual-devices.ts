import { randomUUID } from 'node:crypto';
import type { FromDeviceMaker, ToDeviceMaker, VirtualDevice } from '@tandem/api';
import { ServerError } from './server-error.ts';

/** Devices without hardware that somebody beside the server can switch on. */
export interface VirtualDevices {
  readonly isOffered: () => boolean;
  /** Throws `conflict` with the maker's reason, `unavailable` when it is gone or silent. */
  readonly add: () => Promise<VirtualDevice>;
}

/** As much of `process` as a child needs; without a channel nothing is ever offered. */
export interface ChildProcessSide {
  readonly channel?: { unref: () => void } | null | undefined;
  readonly send?: ((message: ToDeviceMaker, done: (error: Error | null) => void) => boolean) | undefined;
  readonly on: (event: 'message', listener: (message: unknown) => void) => unknown;
}

const answerTimeoutMs = 30_000;

/**
 * The demo's: it starts the server as a process of its own and makes devices when it is asked over Node's channel to a child, which
 * nobody else holds. A message that is not one of `FromDeviceMaker` is passed over.
 */
export function virtualDevicesOfParent(
  process: ChildProcessSide,
  timeoutMs = answerTimeoutMs,
): VirtualDevices {
  const { send, channel } = process;
  if (send === undefined) return { isOffered: () => false, add: () => Promise.reject(silent()) };
  let isOffered = false;
  const waiting = new Map<string, (answer: FromDeviceMaker) => void>();
  process.on('message', (message) => {
    if (!isFromDeviceMaker(message)) return;
    if (message.kind === 'virtual-devices-offered') isOffered = true;
    else waiting.get(message.request)?.(message);
  });
  // Listening must not keep a command alive that has done its work.
  channel?.unref();
  return {
    isOffered: () => isOffered,
    add: async () => {
      const request = randomUUID();
      const { promise, resolve, reject } = Promise.withResolvers<FromDeviceMaker>();
      waiting.set(request, resolve);
      const limit = setTimeout(() => reject(silent()), timeoutMs);
      try {
        send.call(process, { kind: 'add-virtual-device', request }, (error) => {
          if (error !== null) reject(silent(error));
        });
        const answer = await promise;
        if (answer.kind === 'virtual-device-added') return answer.device;
        throw new ServerError(
          'conflict',
          answer.kind === 'virtual-device-refused' ? answer.reason : 'the answer makes no sense',
        );
      } finally {
        clearTimeout(limit);
        waiting.delete(request);
      }
    },
  };
}

const kinds = ['virtual-devices-offered', 'virtual-device-added', 'virtual-device-refused'] as const;

const isFromDeviceMaker = (message: unknown): message is FromDeviceMaker =>
  typeof message === 'object' &&
  message !== null &&
  'kind' in message &&
  kinds.some((kind) => kind === message.kind);

const silent = (cause?: Error): ServerError =>
  new ServerError(
    'unavailable',
    'whoever makes virtual devices does not answer; is the demo still running?',
    { cause },
  );
