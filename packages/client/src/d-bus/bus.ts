import type { BusMessage } from './message.ts';
import type { BusValue } from './values.ts';

/** A connection to a message bus. What goes wrong with it or is refused throws `ClientError` `busFailed`. */
export interface Bus {
  /**
   * Calls a method and gives what it returns. Throws when the reply is an error, does not come within 25 s or has another
   * signature than `returns`, and when the connection ends; with the signal's reason when that aborts.
   */
  call(call: MethodCall, signal: AbortSignal): Promise<readonly BusValue[]>;
  /** Sends a signal to whoever listens. Does nothing once the connection has ended. */
  emit(path: string, signal: BusSignal): void;
  /**
   * Calls the listener for each such signal, as long as the connection lasts. Only those of the bus itself are sure to be the
   * sender's: others could be sent to us directly by anyone, and are a hint to ask the sender, no more.
   */
  listen(
    match: SignalMatch,
    listener: (body: readonly BusValue[]) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Answers calls to the object at `path` from now on. */
  serve(path: string, object: ServedObject): void;
  /** Resolves, with the reason, when the connection has ended; never rejects. */
  readonly ended: Promise<Error>;
  close(): void;
}

export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly BusValue[];
  /** Signature of what the method returns. */
  readonly returns: string;
}

export interface BusSignal {
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly body: readonly BusValue[];
}

export interface SignalMatch {
  /** A well-known name; signals of its owner count. */
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
}

/** Gives the answer to a call; what it throws becomes an error reply. */
export type ServedObject = (call: BusMessage) => Promise<BusReply>;

export type BusReply =
  | { readonly signature: string; readonly body: readonly BusValue[] }
  | { readonly errorName: string; readonly text: string };

export const messageBus = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const;
