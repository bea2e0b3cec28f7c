import { inMemoryEnvironment, type BootEnvironment } from '@tandem/boot-environment';
import { ClientError } from '../client-error.ts';
import { findProgram } from '../system/find-program.ts';
import type { System } from '../system/system.ts';
import { directEnvironments, openWhatIsThere, type EnvironmentPlaces } from './direct-environment.ts';
import { toolEnvironment } from './tool-environment.ts';

export interface BootEnvironmentChoice {
  /** The configuration's BootEnvironment. */
  readonly kind: 'auto' | keyof typeof directEnvironments | 'fw-tools' | 'in-memory';
  readonly places: EnvironmentPlaces;
  /** PATH, to see which tools are installed. */
  readonly searchPath: string;
}

const usualFwEnvConfig = '/etc/fw_env.config';

/** Tools in the order of preference (client contract 17.2); only U-Boot's can be told of another configuration. */
const toolPairs = [
  { print: 'grub-mender-grubenv-print', set: 'grub-mender-grubenv-set', takesConfig: false, separator: '=' },
  { print: 'fw_printenv', set: 'fw_setenv', takesConfig: true, separator: 'probed' },
] as const;

/**
 * Gives the bootloader's variables, by the way the configuration asks for. `auto` prefers the tools that are installed, which
 * know their board, and reads the environment itself where there are none. Nothing is looked at before the first call;
 * what we read ourselves stays open, so that its writes go one after another.
 *
 * The returned function throws `ClientError` `badBootEnvironment` when there is no way to reach them.
 */
export function bootEnvironmentOf(
  system: Pick<System, 'files' | 'processes'>,
  { kind, places, searchPath }: BootEnvironmentChoice,
): (signal: AbortSignal) => Promise<BootEnvironment> {
  let opened: BootEnvironment | undefined;
  const throughTools = async (signal: AbortSignal) => {
    for (const pair of toolPairs) {
      const print = await findProgram(system.files, pair.print, searchPath);
      const set = await findProgram(system.files, pair.set, searchPath);
      if (print === undefined || set === undefined) continue;
      const config = places.fwEnvConfig;
      const args = pair.takesConfig && config !== usualFwEnvConfig ? ['-c', config] : [];
      return toolEnvironment(system.processes, { print, set, args, separator: pair.separator }, signal);
    }
    return undefined;
  };
  return async (signal) => {
    switch (kind) {
      case 'in-memory':
        return (opened ??= inMemoryEnvironment({ upgrade_available: '0' }));
      case 'u-boot':
      case 'u-boot-two-copies':
      case 'grub':
        return (opened ??= await directEnvironments[kind](system.files, places));
      case 'auto':
        return (await throughTools(signal)) ?? (opened ??= await openWhatIsThere(system.files, places));
      case 'fw-tools': {
        const found = await throughTools(signal);
        if (found !== undefined) return found;
        throw new ClientError(
          'badBootEnvironment',
          'Cannot reach the boot environment: neither grub-mender-grubenv-print/-set nor fw_printenv/fw_setenv is installed.',
        );
      }
      default:
        return kind satisfies never;
    }
  };
}
