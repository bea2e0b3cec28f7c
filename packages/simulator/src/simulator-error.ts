export type SimulatorErrorCode = 'badArguments' | 'badProfile';

/** What is wrong with what the simulator was told; what servers answer is counted, not thrown. */
export class SimulatorError extends Error {
  readonly code: SimulatorErrorCode;
  constructor(code: SimulatorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SimulatorError';
    this.code = code;
  }
}
