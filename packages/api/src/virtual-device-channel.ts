import type { VirtualDevice } from './management/virtual-devices.ts';

/** What goes between the server and the process that started it, over Node's channel to a child, when that one makes devices. */
export type FromDeviceMaker =
  | { readonly kind: 'virtual-devices-offered' }
  | { readonly kind: 'virtual-device-added'; readonly request: string; readonly device: VirtualDevice }
  | { readonly kind: 'virtual-device-refused'; readonly request: string; readonly reason: string };

export interface ToDeviceMaker {
  readonly kind: 'add-virtual-device';
  /** Comes back with the answer. */
  readonly request: string;
}
