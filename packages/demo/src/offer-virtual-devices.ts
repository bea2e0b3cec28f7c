import type { ChildProcess } from 'node:child_process';
import type { FromDeviceMaker, ToDeviceMaker, VirtualDevice } from '@tandem/api';

/** Tells a server that was started with a channel that it can have devices, and makes those it asks for. */
export function offerVirtualDevices(server: ChildProcess, add: () => Promise<VirtualDevice>): void {
  const say = (message: FromDeviceMaker): void => {
    // A server that went away meanwhile needs no answer.
    if (server.connected) server.send(message, () => undefined);
  };
  server.on('message', ({ request }: ToDeviceMaker) => {
    add().then(
      (device) => {
        say({ kind: 'virtual-device-added', request, device });
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        say({ kind: 'virtual-device-refused', request, reason });
      },
    );
  });
  say({ kind: 'virtual-devices-offered' });
}
