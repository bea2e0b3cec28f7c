/** What a machine is made of; it knows nothing of what its states mean. */
export interface StateMachine<State extends string, Event extends string> {
  /** The state an event leads to; undefined is a fault of the table. */
  readonly next: (state: State, event: Event) => State | undefined;
  /** True for a state in which the machine has come to its end, before anything of that state is done. */
  readonly endsBefore: (state: State) => Promise<boolean> | boolean;
  readonly entered: (state: State) => void;
  /** Writes the record of the state, if it has one. An event instead of undefined: could not, and this is where to go. */
  readonly save: (state: State) => Promise<Event | undefined>;
  readonly act: (state: State, signal: AbortSignal) => Promise<Event>;
  readonly happened: (state: State, event: Event) => void;
}

/**
 * Runs until a state in which the machine ends, and returns that state: enter, save, do, event, next.
 *
 * Rejects with the signal's reason when aborted. That is looked at between saving and doing, so that work which has been done is
 * on record before the process ends; what an action says while it is being aborted is not believed.
 */
export async function runStateMachine<State extends string, Event extends string>(
  machine: StateMachine<State, Event>,
  start: State,
  signal: AbortSignal,
): Promise<State> {
  let state = start;
  while (!(await machine.endsBefore(state))) {
    machine.entered(state);
    let event = await machine.save(state);
    if (event === undefined) {
      signal.throwIfAborted();
      event = await machine.act(state, signal);
      if (event !== 'success') signal.throwIfAborted();
    }
    machine.happened(state, event);
    const next = machine.next(state, event);
    if (next === undefined)
      throw new Error(`No way leads from ${state} on ${event}: the table of states is not closed`);
    state = next;
  }
  return state;
}
