import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machineArguments, machineKinds, type MachineOptions } from './machine-kinds.ts';
import { connectToMonitor } from './machine-monitor.ts';
import { serialConsole, type SerialConsole } from './serial-console.ts';

/** A machine that runs. */
export interface VirtualMachine {
  readonly console: SerialConsole;
  /** Milliseconds since it was started. */
  readonly upMs: () => number;
  /** The cord is pulled: SIGKILL. What QEMU already gave to the host's page cache stays; for lost writes see `writeLog`. */
  readonly cutPower: () => Promise<void>;
  /** QEMU ends and closes its files, as a log of writes needs it; for the guest it is a power cut. */
  readonly stop: () => Promise<void>;
  readonly pressPowerButton: () => Promise<void>;
  readonly reset: () => Promise<void>;
  /** Plugs a raw image in as a USB stick. */
  readonly plugStick: (path: string) => Promise<void>;
  /** Resolves when QEMU has ended, however it ended. */
  readonly ended: Promise<void>;
  /** For `await using`: whatever happened, the machine is gone. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const startLimitMs = 20_000;
const stopLimitMs = 20_000;

/** Starts QEMU; resolves when the machine has begun to run. Throws with what QEMU said when it does not. */
export async function startVirtualMachine(options: MachineOptions): Promise<VirtualMachine> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-machine-'));
  const monitorPath = join(directory, 'monitor');
  const started = performance.now();
  const upMs = (): number => Math.round(performance.now() - started);
  const command = [machineKinds[options.kind].program, ...machineArguments(options, monitorPath)];
  // However this program ends, the machine ends with it.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      said += error.message;
      resolve();
    });
    child.once('close', () => resolve());
  }).then(async () => {
    process.removeListener('exit', killAtExit);
    await rm(directory, { recursive: true, force: true });
  });
  const console = serialConsole(child.stdout, child.stdin, upMs);
  const cutPower = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };

  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  const monitor = await (async () => {
    for (;;) {
      try {
        return await connectToMonitor(monitorPath);
      } catch (cause) {
        if (!hasEnded && upMs() < startLimitMs) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          continue;
        }
        await cutPower();
        throw new Error(`QEMU did not start: ${said.trim()}`, { cause });
      }
    }
  })();
  void ended.then(monitor.close);

  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const limit = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
    await ended;
    clearTimeout(limit);
  };
  return {
    console,
    upMs,
    cutPower,
    stop,
    pressPowerButton: async () => void (await monitor.execute('system_powerdown')),
    reset: async () => void (await monitor.execute('system_reset')),
    plugStick: async (path) => {
      const file = { driver: 'file', filename: path };
      await monitor.execute('blockdev-add', { driver: 'raw', 'node-name': 'stick', file });
      await monitor.execute('device_add', {
        driver: 'usb-storage',
        id: 'stick-device',
        drive: 'stick',
        bus: 'usb.0',
      });
    },
    ended,
    [Symbol.asyncDispose]: cutPower,
  };
}
