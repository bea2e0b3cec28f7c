export type { BootEnvironment } from './boot-environment.ts';
export { BootEnvironmentError, type BootEnvironmentErrorCode } from './errors.ts';
export { parseFwEnvConfig, type EnvironmentCopy } from './fw-env-config.ts';
export { inMemoryEnvironment } from './in-memory-environment.ts';
export { createUBootEnvironment, uBootEnvironment } from './u-boot-environment.ts';
export { decodeEnvironment, encodeEnvironment, newerCopy, type DecodedCopy } from './u-boot-format.ts';
