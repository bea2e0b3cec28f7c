/** Every environment variable the client looks at, for `docs/how-to/configure-the-client.md`, which a test holds to this. */
// prettier-ignore
export const environmentVariables = {
  MENDER_CONF_DIR:             'Directory of mender.conf and the state scripts. Default: /etc/mender',
  MENDER_DATA_DIR:             'Directory of identity and inventory programs and update modules. Default: /usr/share/mender',
  MENDER_DATASTORE_DIR:        'Directory of everything that is kept. Default: /var/lib/mender',
  DBUS_SYSTEM_BUS_ADDRESS:     'Where the system bus is. Default: unix:path=/var/run/dbus/system_bus_socket',
  http_proxy:                  'Proxy for http:// addresses; or HTTP_PROXY.',
  https_proxy:                 'Proxy for https:// addresses; or HTTPS_PROXY.',
  no_proxy:                    'Hosts that are reached directly; or NO_PROXY.',
  PATH:                        'Where programs are: decompressors, boot environment tools, openssl, reboot.',
  TANDEM_SMALL_MEMORY:         'With any value, the packaged programs take less memory and more CPU; see `systemctl edit mender-updated`. Not for the single executable. (Tandem only.)',
  TANDEM_KERNEL_COMMAND_LINE:  'Stand-in for /proc/cmdline, for devices that are directories. (Tandem only.)',
  TANDEM_FW_ENV_CONFIG:        'Stand-in for /etc/fw_env.config, likewise. (Tandem only.)',
  TANDEM_GRUB_ENV_CONFIG:      'Stand-in for /etc/mender_grubenv.config, likewise. (Tandem only.)',
  TANDEM_GRUB_LOCK:            'Stand-in for the lock of the tools of GRUB, likewise. (Tandem only.)',
} as const satisfies Readonly<Record<string, string>>;
