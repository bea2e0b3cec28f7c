import type { SerialConsole } from '../machine/serial-console.ts';

export interface GuestAnswer {
  readonly code: number;
  readonly output: string;
}

/** Runs commands on a device as someone at its serial line would: root is signed in there. */
export interface GuestShell {
  readonly run: (command: string, limitMs?: number) => Promise<GuestAnswer>;
}

const promptLimitMs = 600_000;
const commandLimitMs = 120_000;

/** Waits for the prompt that comes after the position. What else is said on the line in between, as by the client, is in the output too. */
export async function guestShell(console: SerialConsole, after: number): Promise<GuestShell> {
  await console.waitFor(/root@guest:~#/, { limitMs: promptLimitMs, after });
  let count = 0;
  return {
    run: async (command, limitMs = commandLimitMs) => {
      count += 1;
      const end = `END${String(count)}`;
      const begin = console.position();
      // The quotes keep the echo of the command from looking like its end.
      console.send(`${command}; code=$?; echo; echo ${end}''=$code\r`);
      const seen = await console.waitFor(new RegExp(`^${end}=(\\d+)`), { limitMs, after: begin });
      const lines = console.lines.slice(begin - console.position(), seen.next - 1 - console.position());
      return { code: Number(seen.match[1]), output: lines.map(({ text }) => text).join('\n') };
    },
  };
}
