import { join } from 'node:path';

/** Where things lie on a device (client contract 1.1). */
export interface InstallationPaths {
  readonly configurationFile: string;
  readonly fallbackConfigurationFile: string;
  /** What an image of generation 3 says it is: `artifact_name=…`. */
  readonly artifactInfo: string;
  /** Which partitions besides the root file systems there are two of. */
  readonly rawPartitions: string;
  /** State scripts of the root file system. */
  readonly rootfsScripts: string;
  readonly identityScript: string;
  readonly inventoryScripts: string;
  readonly updateModules: string;
  readonly datastore: string;
  readonly deviceKey: string;
  /** /proc/cmdline: its `root=` names the running root file system. */
  readonly kernelCommandLine: string;
  /** Where U-Boot's environment lies. */
  readonly fwEnvConfig: string;
  /** Where GRUB's environment lies. */
  readonly grubEnvConfig: string;
  /** What GRUB's tools lock while they read or write it. */
  readonly grubLock: string;
}

/** What the command line may say instead. */
export interface PathOptions {
  readonly configurationFile?: string | undefined;
  readonly fallbackConfigurationFile?: string | undefined;
  readonly datastore?: string | undefined;
}

/**
 * The three roots may be moved by MENDER_CONF_DIR, MENDER_DATA_DIR and MENDER_DATASTORE_DIR. TANDEM_KERNEL_COMMAND_LINE,
 * TANDEM_FW_ENV_CONFIG, TANDEM_GRUB_ENV_CONFIG and TANDEM_GRUB_LOCK name stand-ins for files of the system, for devices that are directories.
 */
export function installationPaths(
  environment: Readonly<Record<string, string | undefined>>,
  options: PathOptions = {},
): InstallationPaths {
  const configuration = environment['MENDER_CONF_DIR'] ?? '/etc/mender';
  const data = environment['MENDER_DATA_DIR'] ?? '/usr/share/mender';
  const datastore = options.datastore ?? environment['MENDER_DATASTORE_DIR'] ?? '/var/lib/mender';
  return {
    configurationFile: options.configurationFile ?? join(configuration, 'mender.conf'),
    fallbackConfigurationFile: options.fallbackConfigurationFile ?? join(datastore, 'mender.conf'),
    artifactInfo: join(configuration, 'artifact_info'),
    rawPartitions: join(configuration, 'raw-partitions.json'),
    rootfsScripts: join(configuration, 'scripts'),
    identityScript: join(data, 'identity', 'mender-device-identity'),
    inventoryScripts: join(data, 'inventory'),
    updateModules: join(data, 'modules', 'v3'),
    datastore,
    deviceKey: join(datastore, 'mender-agent.pem'),
    kernelCommandLine: environment['TANDEM_KERNEL_COMMAND_LINE'] ?? '/proc/cmdline',
    fwEnvConfig: environment['TANDEM_FW_ENV_CONFIG'] ?? '/etc/fw_env.config',
    grubEnvConfig: environment['TANDEM_GRUB_ENV_CONFIG'] ?? '/etc/mender_grubenv.config',
    grubLock: environment['TANDEM_GRUB_LOCK'] ?? '/var/lock/grub-mender-grubenv-set.lock',
  };
}
