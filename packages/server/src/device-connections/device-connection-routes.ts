import {
  askDeviceForInventory,
  checkDeviceForUpdate,
  connectDevice,
  connectToDevice,
  downloadFromDevice,
  getDeviceConnection,
  playSession,
  uploadToDevice,
} from '@tandem/api';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError, type ServerErrorCode } from '../server-error.ts';

/** Server contract 7, for a server that no device is connected to. */
export function registerDeviceConnectionRoutes(register: RegisterRoute): void {
  register(connectDevice, refuse('notFound', 'not found'));
  register(getDeviceConnection, refuse('notFound', 'device not found'));
  register(connectToDevice, refuse('notFound', 'failed to connect to device: device disconnected'));
  register(checkDeviceForUpdate, refuse('notFound', 'device not connected'));
  register(askDeviceForInventory, refuse('notFound', 'device not connected'));
  register(playSession, refuse('notFound', 'session not found'));
  register(uploadToDevice, refuse('conflict', 'device disconnected'));
  register(downloadFromDevice, async ({ query }) => {
    if (!query.path?.startsWith('/')) throw new ServerError('badRequest', 'path: must be absolute.');
    throw new ServerError('conflict', 'device disconnected');
  });
}

const refuse = (code: ServerErrorCode, message: string) => async () => {
  throw new ServerError(code, message);
};
