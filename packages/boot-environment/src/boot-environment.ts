/** The bootloader's variables, as the system sees them. Names and values are those of the bootloader, not ours. */
export interface BootEnvironment {
  /** All variables. Throws `BootEnvironmentError` when the environment cannot be read or is not one. */
  read(): Promise<ReadonlyMap<string, string>>;
  /**
   * Changes the named variables and leaves the others; an empty value removes the variable. All changes become visible
   * together or not at all, also across a power cut, and are durable when this resolves.
   */
  write(changes: Readonly<Record<string, string>>): Promise<void>;
}
