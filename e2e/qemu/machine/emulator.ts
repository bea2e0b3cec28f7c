import { spawn, type ChildProcess } from 'node:child_process';
import { machineArguments, machineKinds, type MachineOptions } from './machine-kinds.ts';
import { connectToMonitor, type MachineMonitor } from './machine-monitor.ts';

/** QEMU from power on until the power is off or the machine is reset: a reset ends it, and what starts then is another one. */
export interface Emulator {
  readonly child: ChildProcess;
  readonly monitor: MachineMonitor;
  /** Resolves when it has ended. `off`: by itself, or by a signal. */
  readonly ended: Promise<'reset' | 'off'>;
}

export interface EmulatorPlaces {
  /** Of its monitor's socket. */
  readonly monitorPath: string;
  /** Whether the guest's serial line is on this program's terminal (Ctrl-A X ends it) or piped. */
  readonly serialLine: 'terminal' | 'pipes';
}

const startLimitMs = 20_000;

/** Resolves when the machine has begun to run. Throws with what QEMU said when it does not. */
export async function startEmulator(
  options: MachineOptions,
  { monitorPath, serialLine }: EmulatorPlaces,
): Promise<Emulator> {
  const command = [machineKinds[options.kind].program, ...machineArguments(options, monitorPath, serialLine)];
  const began = performance.now();
  // However this program ends, the machine ends with it.
  const stdio = serialLine === 'terminal' ? 'inherit' : 'pipe';
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], { stdio });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
  let hasEnded = false;
  const closed = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      said += error.message;
      resolve();
    });
    child.once('close', () => resolve());
  }).then(() => void (hasEnded = true));
  for (;;) {
    try {
      const monitor = await connectToMonitor(monitorPath);
      const ended = Promise.all([closed, monitor.shutdownReason]).then(([, reason = '']) =>
        reason.endsWith('-reset') ? 'reset' : 'off',
      );
      return { child, monitor, ended };
    } catch (cause) {
      if (!hasEnded && performance.now() - began < startLimitMs) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      child.kill('SIGKILL');
      await closed;
      throw new Error(`QEMU did not start: ${said.trim()}`, { cause });
    }
  }
}
