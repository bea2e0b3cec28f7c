import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A message bus of the test's own, with the rules of the distribution's system bus and of our policy files. */
export interface PrivateBus {
  /** For DBUS_SYSTEM_BUS_ADDRESS. */
  readonly address: string;
  stop(): Promise<void>;
}

const distributionRules = '/usr/share/dbus-1/system.conf';
const ourPolicies = join(import.meta.dirname, '../../packages/client/support/dbus');

/**
 * Runs Debian's `dbus-daemon`. Of the distribution's file everything stands but what makes a service of the machine of it: its
 * socket, user and process file, and the policies of whatever else is installed.
 */
export async function startPrivateBus(directory: string): Promise<PrivateBus> {
  const address = `unix:path=${join(directory, 'bus')}`;
  const rules = (await readFile(distributionRules, 'utf8'))
    .replace(/<listen>.*<\/listen>/, `<listen>${address}</listen>`)
    .replace('<includedir>system.d</includedir>', `<includedir>${ourPolicies}</includedir>`)
    .replace(/<(user|pidfile|servicehelper)>.*<\/\1>/g, '')
    .replace(/<(fork|syslog|standard_system_servicedirs)\/>/g, '')
    .replace(/<include .*<\/include>/g, '')
    .replace('<includedir>/etc/dbus-1/system.d</includedir>', '');
  const file = join(directory, 'bus.conf');
  await writeFile(file, rules);
  // Should the test die, the bus dies with it.
  const words = [
    '--pdeathsig',
    'KILL',
    'dbus-daemon',
    `--config-file=${file}`,
    '--nofork',
    '--print-address',
  ];
  const daemon = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  daemon.stderr.on('data', (text: Buffer) => (complaints += text.toString()));
  const ended = once(daemon, 'exit').then(() => {
    throw new Error(`dbus-daemon ended at once: ${complaints}`);
  });
  await Promise.race([once(daemon.stdout, 'data'), ended]);
  ended.catch(() => undefined);
  return {
    address,
    stop: async () => {
      if (daemon.exitCode !== null || daemon.signalCode !== null) return;
      const gone = once(daemon, 'exit');
      daemon.kill();
      await gone;
    },
  };
}
