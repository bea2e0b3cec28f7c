export { readBoard, type Board } from './board.ts';
export type { BootContext, Bootloader } from './bootloader.ts';
export { bootloaders, type BootloaderName, type BootloaderSettings } from './bootloaders.ts';
export { ImageError, type ImageErrorCode } from './image-error.ts';
export type { ImageFile, RawWrite } from './image-file.ts';
export { partitionsOf, type Partition, type PartitionRole, type Partitions } from './partitions.ts';
export type { RootTree } from './root-tree.ts';
export { programRunner, type RunProgram } from './run-program.ts';
