import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { startEmulator, type Emulator } from './emulator.ts';
import type { MachineOptions } from './machine-kinds.ts';
import { serialConsole, type SerialConsole } from './serial-console.ts';

/** A machine that runs, over its resets. */
export interface VirtualMachine {
  readonly console: SerialConsole;
  /** Milliseconds since it was started. */
  readonly upMs: () => number;
  /** The cord is pulled: SIGKILL. What QEMU already gave to the host's page cache stays. */
  readonly cutPower: () => Promise<void>;
  /** QEMU ends and closes its files; for the guest it is a power cut. */
  readonly stop: () => Promise<void>;
  readonly reset: () => Promise<void>;
  /** Plugs a raw image in as a USB stick. */
  readonly plugStick: (path: string) => Promise<void>;
  /** For `await using`: whatever happened, the machine is gone. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const stopLimitMs = 20_000;

/** Starts QEMU; resolves when the machine has begun to run. Throws with what QEMU said when it does not. */
export async function startVirtualMachine(options: MachineOptions): Promise<VirtualMachine> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-machine-'));
  const started = performance.now();
  const upMs = (): number => Math.round(performance.now() - started);
  /** The serial line outlives QEMU. */
  const output = new PassThrough();
  const input = new PassThrough();
  let { stick } = options;
  const powerOn = async (): Promise<Emulator> => {
    const places = { monitorPath: join(directory, 'monitor'), serialLine: 'pipes' } as const;
    const emulator = await startEmulator({ ...options, ...(stick === undefined ? {} : { stick }) }, places);
    emulator.child.stdout?.pipe(output, { end: false });
    // A machine whose power was cut reads no more.
    if (emulator.child.stdin !== null) input.pipe(emulator.child.stdin.on('error', () => undefined));
    return emulator;
  };

  let signal: NodeJS.Signals | undefined;
  let emulator: Emulator;
  try {
    emulator = await powerOn();
  } catch (error) {
    await rm(directory, { recursive: true });
    throw error;
  }
  const live = async (): Promise<void> => {
    while ((await emulator.ended) === 'reset' && signal === undefined) {
      emulator = await powerOn();
      // It was told to end while there was none to tell.
      if (signal !== undefined) emulator.child.kill(signal);
    }
  };
  const ended = live()
    .catch((error: unknown) => void output.write(`\n${String(error)}\n`))
    .then(async () => {
      output.end();
      await rm(directory, { recursive: true });
    });
  const end = async (by: NodeJS.Signals): Promise<void> => {
    signal = by;
    emulator.child.kill(by);
    await ended;
  };
  const cutPower = (): Promise<void> => end('SIGKILL');
  return {
    console: serialConsole(output, input, upMs),
    upMs,
    cutPower,
    stop: async () => {
      const limit = setTimeout(() => void cutPower(), stopLimitMs);
      await end('SIGTERM');
      clearTimeout(limit);
    },
    reset: async () => void (await emulator.monitor.execute('system_reset')),
    plugStick: async (path) => {
      const file = { driver: 'file', filename: path };
      await emulator.monitor.execute('blockdev-add', { driver: 'raw', 'node-name': 'stick', file });
      await emulator.monitor.execute('device_add', {
        driver: 'usb-storage',
        id: 'stick-device',
        drive: 'stick',
        bus: 'usb.0',
      });
      stick = path;
    },
    [Symbol.asyncDispose]: cutPower,
  };
}
